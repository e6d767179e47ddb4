"""Whole programs of the tutorials' kind, run with the standard library's import and with ours."""

import subprocess
import sys
from collections import namedtuple

import pytest

Program = namedtuple("Program", "name standard farpool text output")

PROGRAMS = [
    Program(
        "process",
        "from multiprocessing import Process",
        "from farpool import Process",
        """
def f(path, name):
    with open(path, "w") as file:
        file.write(f"hello {name}")

if __name__ == "__main__":
    p = Process(target=f, args=(PATH, "bob"))
    p.start()
    p.join()
    print(open(PATH).read(), p.exitcode)
""",
        "hello bob 0\n",
    ),
    Program(
        "pool",
        "from multiprocessing import Pool, TimeoutError",
        "from farpool import Pool, TimeoutError",
        """
import time

def f(x):
    return x * x

if __name__ == "__main__":
    with Pool(processes=4) as pool:
        print(pool.map(f, range(10)))
        print(sorted(pool.imap_unordered(f, range(10))))
        res = pool.apply_async(f, (20,))
        print(res.get(timeout=30))
        print(len(set(r.get(timeout=30) for r in [pool.apply_async(f, (n,)) for n in range(4)])))
        res = pool.apply_async(time.sleep, (60,))
        try:
            print(res.get(timeout=0.1))
        except TimeoutError:
            print("We lacked patience and got a multiprocessing.TimeoutError")
""",
        "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]\n[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]\n400\n4\n"
        "We lacked patience and got a multiprocessing.TimeoutError\n",
    ),
    Program(
        "queue",
        "from multiprocessing import Process, Queue",
        "from farpool import Process, Queue",
        """
def f(q):
    q.put([42, None, "hello"])

if __name__ == "__main__":
    q = Queue()
    p = Process(target=f, args=(q,))
    p.start()
    print(q.get())
    p.join()
""",
        "[42, None, 'hello']\n",
    ),
    Program(
        "executor",
        "from concurrent.futures import ProcessPoolExecutor, as_completed",
        "from farpool import ProcessPoolExecutor, as_completed",
        """
PRIMES = [112272535095293, 115280095190773, 1099726899285419]

def smallest_factor(n):
    return next((i for i in range(3, 1000, 2) if n % i == 0), 1)

if __name__ == "__main__":
    with ProcessPoolExecutor(max_workers=2) as executor:
        futures = {executor.submit(smallest_factor, n): n for n in PRIMES}
        print(sorted((futures[future], future.result()) for future in as_completed(futures)))
        print(list(executor.map(smallest_factor, PRIMES)))
""",
        "[(112272535095293, 1), (115280095190773, 1), (1099726899285419, 1)]\n[1, 1, 1]\n",
    ),
    Program(
        "cpu_count",
        "from multiprocessing import Pool, cpu_count",
        "from farpool import Pool, cpu_count",
        """
def double(x):
    return 2 * x

if __name__ == "__main__":
    with Pool(cpu_count()) as pool:
        print(pool.map(double, range(cpu_count()))[:1])
""",
        "[0]\n",
    ),
    Program(
        "numpy_map",
        "from multiprocessing import Pool",
        "from farpool import Pool",
        """
import numpy as np

def norm(row):
    return float(np.sqrt(np.sum(row * row)))

if __name__ == "__main__":
    with Pool() as pool:
        print(pool.map(norm, np.arange(8.0).reshape(4, 2) * [0, 1]))
""",
        "[1.0, 3.0, 5.0, 7.0]\n",
    ),
    Program(
        "end",
        "from multiprocessing import Process",
        "from farpool import Process",
        """
import time

def write(path, seconds):
    time.sleep(seconds)
    open(path, "w").close()

if __name__ == "__main__":
    Process(target=write, args=(PATH + ".daemon", 100), daemon=True).start()
    Process(target=write, args=(PATH, 0.3)).start()
    print("end")
""",
        "end\n",
    ),
    Program(
        "shared_memory",
        "from multiprocessing import Process, shared_memory",
        "from farpool import Process, shared_memory",
        """
import numpy as np

def change(name, shape, place):
    block = shared_memory.SharedMemory(name=name)
    array = np.ndarray(shape, dtype=np.int64, buffer=block.buf)
    array[place] = 888 + place
    del array
    block.close()

if __name__ == "__main__":
    numbers = np.array([1, 1, 2, 3, 5, 8])
    block = shared_memory.SharedMemory(create=True, size=numbers.nbytes)
    array = np.ndarray(numbers.shape, dtype=numbers.dtype, buffer=block.buf)
    array[:] = numbers[:]
    processes = [Process(target=change, args=(block.name, numbers.shape, place)) for place in (0, 5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print(array.tolist())
    del array
    block.close()
    block.unlink()
    try:
        shared_memory.SharedMemory(name=block.name)
    except FileNotFoundError:
        print("gone")
""",
        "[888, 1, 2, 3, 5, 893]\ngone\n",
    ),
    Program(
        "shared_memory_twice",
        "from multiprocessing import shared_memory",
        "from farpool import shared_memory",
        """
import array

if __name__ == "__main__":
    first = shared_memory.SharedMemory(create=True, size=10)
    first.buf[:4] = bytearray([22, 33, 44, 55])
    second = shared_memory.SharedMemory(first.name)
    print(array.array("b", second.buf[:5]))
    second.buf[:5] = b"howdy"
    print(bytes(first.buf[:5]))
    second.close()
    first.close()
    first.unlink()
""",
        "array('b', [22, 33, 44, 55, 0])\nb'howdy'\n",
    ),
    Program(
        "shareable_list",
        "from multiprocessing import Process, shared_memory",
        "from farpool import Process, shared_memory",
        """
def double(name, start, stop):
    numbers = shared_memory.ShareableList(name=name)
    for place in range(start, stop):
        numbers[place] = 2 * numbers[place]
    numbers.shm.close()

if __name__ == "__main__":
    numbers = shared_memory.ShareableList(range(10))
    processes = [Process(target=double, args=(numbers.shm.name, *part)) for part in ((0, 5), (5, 10))]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print(sum(numbers), len(numbers), numbers.index(18))
    numbers.shm.close()
    numbers.shm.unlink()
""",
        "90 10 9\n",
    ),
    Program(
        "context",
        "import multiprocessing as mp",
        "import farpool as mp",
        """
def foo(q, lock, total):
    with lock:
        total.value += 1
    q.put("hello from " + ("a process" if mp.parent_process() else "the program"))

if __name__ == "__main__":
    mp.freeze_support()
    mp.set_start_method("spawn")
    ctx = mp.get_context("spawn")
    q, lock, total = ctx.Queue(), ctx.Lock(), ctx.RawValue("i", 41)
    p = ctx.Process(target=foo, args=(q, lock, total))
    p.start()
    print(q.get())
    p.join()
    print(total.value, mp.active_children(), ctx.cpu_count() > 0, mp.get_start_method(), mp.current_process().name)
    try:
        mp.get_context("teleport")
    except ValueError as error:
        print(error)
""",
        "hello from a process\n42 [] True spawn MainProcess\ncannot find context for 'teleport'\n",
    ),
    Program(
        "manager",
        "from multiprocessing import Process, Manager",
        "from farpool import Process, Manager",
        """
def f(d, l):
    d[1] = "1"
    d["2"] = 2
    d[0.25] = None
    l.reverse()

if __name__ == "__main__":
    with Manager() as manager:
        d = manager.dict()
        l = manager.list(range(10))
        p = Process(target=f, args=(d, l))
        p.start()
        p.join()
        print(d)
        print(l)
""",
        "{1: '1', '2': 2, 0.25: None}\n[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]\n",
    ),
    Program(
        "value_array",
        "from multiprocessing import Process, Value, Array",
        "from farpool import Process, Value, Array",
        """
def f(n, a):
    n.value = 3.1415927
    for i in range(len(a)):
        a[i] = -a[i]

if __name__ == "__main__":
    num = Value("d", 0.0)
    arr = Array("i", range(10))
    p = Process(target=f, args=(num, arr))
    p.start()
    p.join()
    print(num.value)
    print(arr[:])
""",
        "3.1415927\n[0, -1, -2, -3, -4, -5, -6, -7, -8, -9]\n",
    ),
    Program(
        "pipe",
        "from multiprocessing import Process, Pipe",
        "from farpool import Process, Pipe",
        """
def f(conn):
    conn.send([42, None, "hello"])
    conn.close()

if __name__ == "__main__":
    parent_conn, child_conn = Pipe()
    p = Process(target=f, args=(child_conn,))
    p.start()
    print(parent_conn.recv())
    p.join()
""",
        "[42, None, 'hello']\n",
    ),
    Program(
        "lock",
        "from multiprocessing import Process, Lock, Value",
        "from farpool import Process, Lock, Value",
        """
def f(lock, total, i):
    with lock:
        total.value += i

if __name__ == "__main__":
    lock, total = Lock(), Value("i", 0, lock=False)
    processes = [Process(target=f, args=(lock, total, num)) for num in range(10)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    print(total.value)
""",
        "45\n",
    ),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_prints_the_same_with_another_import(tools, program_folder, tmp_path, program):
    file = program_folder / f"{program.name}_with_{'farpool' if tools.is_farpool else 'standard'}.py"
    imported = program.farpool if tools.is_farpool else program.standard
    file.write_text(f"{imported}\nPATH = {str(tmp_path / 'file')!r}\n{program.text}")
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (program.output, "", 0)
    if program.name == "end":
        assert [path.name for path in tmp_path.iterdir()] == ["file"]  # the daemon was ended, the other waited for
