"""Lambdas, closures and functions of scripts on real daemons, with a key and without."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import SUPPORT, Daemon, daemons, wait_for

from farpool import CodeNotTrustedError, Executor, FunctionNotImportableError, SettingsError
from farpool.embedded import Server
from farpool_common.broker import connect

KEY, OTHER = "k" * 43, "o" * 43


@pytest.fixture
def keyed(shared_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A daemon and this process share a key."""
    monkeypatch.setenv("FARPOOL_KEY", KEY)
    with daemons(shared_server.url, tmp_path, "keyed") as found:
        yield found[0]


def test_lambdas_closures_and_their_changes(keyed: Daemon):
    step = 1

    def stepped(x):
        return x + step

    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    with Executor(keyed.url, initializer=lambda: None) as executor:
        assert executor.submit(lambda x: x * x, 7).result() == 49
        assert executor.submit(factorial, 5).result() == 120
        assert executor.submit(stepped, 1).result() == 2
        step = 10
        assert executor.submit(stepped, 1).result() == 11  # as concurrent.futures: pickled at each submit
        assert list(executor.map(lambda x, y: x - y, range(50), range(50))) == [0] * 50
        assert list(executor.map(stepped, range(50), chunksize="auto")) == [n + 10 for n in range(50)]
        many = [executor.submit(lambda i=i: i) for i in range(30)]
        assert [future.result() for future in many] == list(range(30))


def test_an_initializer_by_value_runs_first(keyed: Daemon):
    def mark():
        import os

        os.environ["MARKED_BY_INITIALIZER"] = "yes"

    with Executor(keyed.url, initializer=mark) as executor:
        assert executor.submit(lambda: __import__("os").environ.get("MARKED_BY_INITIALIZER")).result() == "yes"


def test_a_function_typed_into_an_interactive_session(keyed: Daemon):
    script = (
        f"from farpool import Executor\ndef f(x): return x + 1\nprint(Executor({keyed.url!r}).submit(f, 1).result())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_the_key_is_in_no_environment_and_in_no_log(keyed: Daemon):
    def variables():
        import os
        import subprocess

        return subprocess.check_output(["env"], text=True) + repr(dict(os.environ))

    with Executor(keyed.url) as executor:
        assert KEY not in executor.submit(variables).result()
    assert KEY not in keyed.text()


def test_a_script_that_workers_do_not_have(keyed: Daemon, tmp_path: Path):
    script = tmp_path / "elsewhere" / "only_here.py"
    script.parent.mkdir()
    shutil.copy(SUPPORT / "by_value_script.py", script)
    done = subprocess.run([sys.executable, script, keyed.url], capture_output=True, text=True, env=os.environ)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["6", "10", "('Scale', 2)", "[3, 4, 5, 6]"]


def test_a_shipped_module(keyed: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "shipped_here.py").write_text("def inner(x): return x + 1\ndef outer(x): return inner(x) * 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    import shipped_here

    with Executor(keyed.url, ship=[shipped_here]) as executor:
        assert executor.submit(shipped_here.outer, 1).result() == 4
        assert executor.submit(lambda: shipped_here.outer(2)).result() == 6
    with pytest.raises(SettingsError, match="ship"):
        Executor(keyed.url, ship=["shipped_here"])


def test_another_key_is_refused_and_the_daemon_goes_on(keyed: Daemon, monkeypatch: pytest.MonkeyPatch):
    import tasks

    with Executor(keyed.url) as executor:
        monkeypatch.setenv("FARPOOL_KEY", OTHER)
        with pytest.raises(CodeNotTrustedError, match="same FARPOOL_KEY"):
            executor.submit(lambda: 1).result()
        assert executor.submit(tasks.square, 3).result() == 9
        monkeypatch.setenv("FARPOOL_KEY", KEY)
        assert executor.submit(lambda: 1).result() == 1


def test_a_worker_without_a_key_says_so(host: Daemon, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FARPOOL_KEY", KEY)
    with Executor(host.url) as executor, pytest.raises(CodeNotTrustedError, match="worker has no key"):
        executor.submit(lambda: 1).result()


def test_without_a_key_nothing_is_sent(executor: Executor):
    with pytest.raises(FunctionNotImportableError, match=r"farpool key --new.*Nothing was sent"):
        executor.submit(lambda: 1)
    with pytest.raises(FunctionNotImportableError, match="to be shipped, and there is no key"):
        executor.options(ship=(shutil,)).submit(shutil.which, "ls")


def test_a_short_key_is_refused_by_producer_and_worker(host: Daemon, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FARPOOL_KEY", "short")
    with Executor(host.url) as executor, pytest.raises(SettingsError, match="too short"):
        executor.submit(lambda: 1)
    done = subprocess.run([sys.executable, "-m", "farpool_worker", "-u", host.url], capture_output=True, text=True)
    assert done.returncode == 78
    assert "farpool key --new" in done.stderr


def test_the_command_makes_keys_that_are_long_enough(keyed: Daemon, tmp_path: Path):
    made = [subprocess.check_output([sys.executable, "-m", "farpool", "key", "--new"], text=True) for _ in range(2)]
    assert made[0] != made[1]
    assert all(line.startswith("FARPOOL_KEY=") and line.count("\n") == 1 and len(line) > 44 for line in made)


def test_tasks_of_a_script_travel_with_their_functions_and_with_each_other(keyed: Daemon, tmp_path: Path):
    script = tmp_path / "only_here.py"
    script.write_text(
        "import pickle, sys\n"
        "from farpool import Executor, task\n"
        "@task\n"
        "def helper(n): return n\n"
        "@task(url=sys.argv[1], retries=1)\n"
        "def factorial(n): return 1 if n < 2 else helper(n) * factorial(n - 1)\n"
        "if __name__ == '__main__':\n"
        "    print(factorial.submit(5).result(), list(factorial.map([1, 2, 3])))\n"
        "    with Executor(sys.argv[1]) as executor: print(executor.submit(factorial, 4).result())\n"
        "    print(pickle.loads(pickle.dumps(factorial)) is factorial)\n"
    )
    command = [sys.executable, str(script), keyed.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["120", "[1,", "2,", "6]", "24", "True"], done.stderr


def test_tasks_of_a_module_that_is_shipped_travel_with_it(keyed: Daemon, tmp_path: Path):
    (tmp_path / "not_on_workers.py").write_text(
        "from farpool import task\n@task\ndef one(): return 1\ndef two(): return one() + one()\n"
    )
    program = (
        "import sys, not_on_workers as m; from farpool import Executor\n"
        "with Executor(sys.argv[1], ship=[m]) as executor: print(executor.submit(m.two).result(), "
        "executor.submit(m.one).result())"
    )
    command = [sys.executable, "-c", program, keyed.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.stdout.split() == ["2", "1"], done.stderr


@pytest.fixture
def waiting(keyed: Daemon, tmp_path: Path):
    """A signed task in a queue that nobody serves: whoever may write to the server can do with it what they like."""
    told = str(tmp_path / "told")

    def tell(word):
        with open(told, "a") as file:
            file.write(f"{word}\n")

    with Executor(keyed.url, queue="nobody") as executor, connect(keyed.url) as client:
        future = executor.submit(tell, "pay 1")
        wait_for(lambda: client.llen("rq:queue:nobody"))
        yield client, client.lpop("rq:queue:nobody").decode(), future
        future.cancel()


def test_a_signed_task_with_other_arguments_is_refused(waiting, tmp_path: Path):
    client, task, future = waiting
    data = client.hget(f"rq:job:{task}", "data")
    assert b"pay 1" in data
    client.hset(f"rq:job:{task}", "data", data.replace(b"pay 1", b"pay 9"))
    client.rpush("rq:queue:nobody", task)
    with (
        daemons(_url_of(client), tmp_path, "late", options=("-c", "1", "nobody")),
        pytest.raises(CodeNotTrustedError, match="changed or copied"),
    ):
        future.result(60)
    assert not (tmp_path / "told").exists()


def test_a_signed_task_on_another_queue_is_refused(waiting, tmp_path: Path):
    client, task, future = waiting
    client.hset(f"rq:job:{task}", "origin", "default")
    client.rpush("rq:queue:default", task)
    with pytest.raises(CodeNotTrustedError, match="changed or copied"):
        future.result(60)
    assert not (tmp_path / "told").exists()


def test_a_copy_of_a_signed_task_is_refused(waiting, tmp_path: Path):
    client, task, future = waiting
    record, reply = client.hgetall(f"rq:job:{task}"), "rq:farpool:reply:mine"
    client.hset("rq:job:copy", mapping={**record, b"farpool_reply": reply})
    client.rpush("rq:queue:nobody", "copy", task)
    with daemons(_url_of(client), tmp_path, "late", options=("-c", "1", "nobody")):
        assert future.result(60) is None
        wait_for(lambda: client.exists(reply))
    assert (tmp_path / "told").read_text() == "pay 1\n"


def _url_of(client) -> str:
    return f"unix://{client.connection_pool.connection_kwargs['path']}"


def test_executors_inside_calls_have_the_key_and_programs_that_they_start_do_not(keyed: Daemon):
    url = keyed.url

    def run(number):
        import os
        import subprocess

        from farpool import Executor

        shown = subprocess.check_output(["env"], text=True) + repr(dict(os.environ))
        with Executor(url) as executor:
            return executor.submit(lambda: number + 1).result(), shown

    with daemons(url, Path(keyed.log).parent, "second"), Executor(url) as executor:
        value, shown = executor.submit(run, 1).result(60)
    assert value == 2
    assert KEY not in shown


def test_keys_are_changed_without_refusing_a_task(shared_server: Server, tmp_path: Path, monkeypatch):
    """While both are in force, producers of either are served."""
    file = tmp_path / "keys"
    file.write_text(f"{OTHER}\n{KEY}\n")
    with daemons(shared_server.url, tmp_path, "both", FARPOOL_KEY_FILE=str(file)) as found:
        for key in (KEY, OTHER, f"{OTHER},{KEY}"):
            monkeypatch.setenv("FARPOOL_KEY", key)
            with Executor(found[0].url) as executor:
                assert executor.submit(lambda: 7).result(60) == 7
        monkeypatch.setenv("FARPOOL_KEY", "n" * 43)
        with Executor(found[0].url) as executor, pytest.raises(CodeNotTrustedError):
            executor.submit(lambda: 7).result(60)


def test_a_function_by_value_with_long_arguments(keyed: Daemon):
    """They travel apart from the task's record."""
    words = ["word" * 50] * 20_000
    with Executor(keyed.url) as executor:
        assert executor.submit(lambda words: len(words), words).result(60) == 20_000
