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
