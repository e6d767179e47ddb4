"""Ends: of a with block, of an executor, of the program, and of a forked child."""

import concurrent.futures
import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import functions as f
import pytest
from fake_broker import DEADLINE, FakeExecutor, FakeServer

from farpool import ServerUnreachableError

SUPPORT = Path(f.__file__).parent


def our_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("farpool-")}


def test_threads_start_with_the_first_call_and_end_with_shutdown(fake: FakeServer) -> None:
    executor = FakeExecutor(fake)
    before = our_threads()
    executor.submit(f.nothing).result(DEADLINE)
    during = our_threads()
    executor.shutdown()
    assert (before, during, our_threads()) == (set(), {"farpool-sender", "farpool-listener"}, set())


def test_shutdown_leaves_no_stream_and_a_closed_broker(fake: FakeServer) -> None:
    executor = FakeExecutor(fake)
    executor.submit(f.nothing).result(DEADLINE)
    reply = fake.enqueued[0].reply
    executor.shutdown()
    assert fake.dropped_streams == [reply]
    assert fake.streams == {}


def test_an_executor_that_never_ran_a_call_shuts_down(fake: FakeServer) -> None:
    executor = FakeExecutor(fake)
    executor.shutdown()
    executor.shutdown()
    assert fake.dropped_streams == []


def test_shutdown_waits_for_maps_whose_results_nobody_takes(fake: FakeServer) -> None:
    with FakeExecutor(fake) as executor:
        executor.map(f.note, range(300), chunksize="auto")
    assert sorted(f.SEEN) == list(range(300))


def test_shutdown_ends_while_the_server_is_away_if_nothing_is_pending(fake: FakeServer) -> None:
    executor = FakeExecutor(fake)
    executor.submit(f.nothing).result(DEADLINE)
    fake.set(outage=ServerUnreachableError("no answer"))
    executor.shutdown()
    assert our_threads() == set()


class Leaving:
    """A with block that is left by an exception."""

    def __init__(self, fake: FakeServer, error: BaseException) -> None:
        self.executor, self._error = FakeExecutor(fake), error

    def after(self, work: Callable[[], object]) -> None:
        with pytest.raises(type(self._error)), self.executor:
            self._leave(work)

    def _leave(self, work: Callable[[], object]) -> None:
        work()
        raise self._error


def test_ctrl_c_in_a_with_block_cancels_what_is_pending(fake: FakeServer) -> None:
    block = Leaving(fake, KeyboardInterrupt())
    futures = [block.executor.submit(f.gate, "ctrl c") for _ in range(30)]
    results = block.executor.map(f.gate, ["ctrl c"] * 30, chunksize="auto")
    block.after(lambda: fake.wait_until(lambda: "started" in fake.status.values()))
    assert all(future.cancelled() for future in futures)
    with pytest.raises(concurrent.futures.CancelledError):
        next(results)
    assert our_threads() == set()


def test_ctrl_c_ends_also_while_the_server_is_away(fake: FakeServer) -> None:
    block = Leaving(fake, KeyboardInterrupt())
    running = block.executor.submit(f.gate, "away")
    fake.wait_until(lambda: "started" in fake.status.values())
    fake.set(outage=ServerUnreachableError("no answer"))
    waiting = block.executor.submit(f.gate, "away")
    block.after(lambda: None)
    assert (running.cancelled(), waiting.cancelled()) == (True, True)


def test_another_exception_in_a_with_block_waits_for_the_calls(fake: FakeServer) -> None:
    block = Leaving(fake, ZeroDivisionError())
    future = block.executor.submit(f.slowly, 0.02, 1)
    block.after(lambda: None)
    assert future.result(0) == 1


def test_a_forgotten_executor_finishes_its_calls_and_ends_its_threads(fake: FakeServer) -> None:
    executor = FakeExecutor(fake)
    future = executor.submit(f.gate, "forgotten", 1)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("farpool-")]
    del executor
    gc.collect()
    f.open_gate("forgotten")
    assert future.result(DEADLINE) == 1
    for thread in threads:
        thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads)


def test_a_view_keeps_its_executor_alive(fake: FakeServer) -> None:
    view = FakeExecutor(fake).options(retries=1)
    gc.collect()
    assert view.submit(f.square, 3).result(DEADLINE) == 9
    del view
    gc.collect()


def test_a_cancelled_map_does_not_hold_up_shutdown(fake: FakeServer) -> None:
    with FakeExecutor(fake) as executor:
        results = executor.map(f.gate, ["map"] * 1000, chunksize="auto", timeout=0.01)
        with pytest.raises(TimeoutError):
            next(results)


def run(script: str) -> subprocess.CompletedProcess[str]:
    head = f"import sys; sys.path.insert(0, {str(SUPPORT)!r})\nfrom fake_broker import *\nimport functions as f, os\n"
    # From 3.12 on Python warns of every fork of a program with threads; what happens then is tested here.
    quiet = ["-W", "ignore::DeprecationWarning"]
    return subprocess.run(
        [sys.executable, *quiet, "-c", head + script], capture_output=True, text=True, timeout=DEADLINE, check=False
    )


def test_the_end_of_the_program_waits_for_pending_calls() -> None:
    done = run(
        "executor = FakeExecutor(FakeServer())\n"
        "future = executor.submit(f.slowly, 0.2, 'finished')\n"
        "future.add_done_callback(lambda future: print(future.result()))\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")


def test_an_idle_executor_does_not_hold_up_the_end_of_the_program() -> None:
    done = run("executor = FakeExecutor(FakeServer())\nprint(executor.submit(f.square, 3).result())\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "9\n", "")


def test_a_forked_child_gets_a_client_of_its_own() -> None:
    done = run(
        "def serve(executor):\n"
        "    executor.fake.__init__()  # threads of the fake do not survive a fork either\n"
        "executor = FakeExecutor(FakeServer())\n"
        "view = executor.options(retries=1)\n"
        "print(executor.submit(f.square, 3).result(), view.submit(f.square, 4).result(), flush=True)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    serve(executor)\n"
        "    print(executor.submit(f.square, 5).result(), view.submit(f.square, 6).result())\n"
        "    print(list(executor.map(f.square, range(3), chunksize='auto')), flush=True)\n"
        "    sys.exit()\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), executor.submit(f.square, 7).result())\n"
    )
    assert (done.stdout, done.stderr) == ("9 16\n25 36\n[0, 1, 4]\n0 49\n", "")


def test_a_fork_of_a_shut_executor_stays_shut() -> None:
    done = run(
        "executor = FakeExecutor(FakeServer())\n"
        "executor.shutdown()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    try:\n"
        "        executor.submit(f.nothing)\n"
        "    except RuntimeError as error:\n"
        "        print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    assert (done.stdout, done.stderr) == ("cannot schedule new futures after shutdown\n", "")
