"""The faults.  Each does one kind of harm to a system under load, at times drawn from its seed, the same for all."""

import os
import signal
import time
from collections.abc import Callable

from bench.faults.stand import Stand

SMALL_TASKS = 29
LONGEST_PAUSE_SECONDS = 120.0
OUTAGE_SECONDS = 3.0
BAD_TASK_SECONDS = 60.0

Scenario = Callable[[Stand], None]


def nothing(stand: Stand) -> None:
    """No fault: what the load takes by itself"""
    stand.submit_long_then(SMALL_TASKS)
    stand.harm()


def child_killed(stand: Stand) -> None:
    """SIGKILL to the process that runs a task"""
    stand.submit_long_then(SMALL_TASKS)
    (run,) = stand.runs("t0")
    stand.harm()
    os.kill(run.pid, signal.SIGKILL)


def worker_killed(stand: Stand) -> None:
    """SIGKILL to a worker's main process while its child runs a task"""
    worker = stand.submit_long_then(SMALL_TASKS)
    assert worker is not None
    worker.look()
    stand.harm()
    worker.is_left_alone = True
    worker.process.kill()
    worker.process.wait()
    stand.watch(2.0)
    stand.notes["orphans"] = len(worker.alive())


def worker_paused(stand: Stand) -> None:
    """SIGSTOP to a worker and its children until another has begun their task (at most 120 s), then SIGCONT"""
    worker = stand.submit_long_then(SMALL_TASKS)
    assert worker is not None
    stand.harm()
    worker.stop_all()
    was_taken_over = stand.watch(LONGEST_PAUSE_SECONDS, lambda: len(stand.runs("t0")) > 1)
    stand.watch(stand.random.uniform(0, 1))
    stand.notes["paused_seconds"] = round(time.monotonic() - stand.harm_at, 1)
    stand.notes["taken_over"] = was_taken_over
    worker.continue_all()


def worker_ended(stand: Stand) -> None:
    """SIGTERM to a busy worker while its successor starts (a rolling restart)"""
    worker = stand.submit_long_then(SMALL_TASKS)
    assert worker is not None
    stand.harm()
    stand.start_successor(worker)
    worker.process.send_signal(signal.SIGTERM)
    stand.watch(30.0, lambda: not worker.is_alive)
    stand.notes["exit_code"] = worker.process.poll()


def server_killed(stand: Stand) -> None:
    """SIGKILL to the server; it is started again from its append-only file after 3 s"""
    stand.submit_long_then(SMALL_TASKS)
    stand.harm()
    stand.is_blind = True
    stand.server.kill()
    stand.watch(OUTAGE_SECONDS)
    stand.server.start()
    stand.is_blind = False
    stand.submit(4)


def out_of_memory(stand: Stand) -> None:
    """The server takes no writes that need memory for 3 s; four tasks are submitted meanwhile"""
    stand.submit_long_then(SMALL_TASKS)
    stand.harm()
    stand.server.set_most_memory("1mb")
    stand.submit(4)
    stand.watch(max(0.0, OUTAGE_SECONDS - (time.monotonic() - stand.harm_at)))
    stand.server.set_most_memory("0")
    stand.submit(4)


def poison(stand: Stand) -> None:
    """A task that kills whatever runs it, among 20 good ones"""
    _one_bad(stand, "poison", "poison")


def malformed(stand: Stand) -> None:
    """One malformed record or message in the queue, among good ones"""
    assert stand.client is not None
    stand.submit(SMALL_TASKS // 2)
    stand.harm()
    stand.notes["malformed"] = stand.client.spoil(stand.seed)
    stand.submit(SMALL_TASKS // 2)


def unserializable(stand: Stand) -> None:
    """A task whose result cannot be serialized (a lock), among 20 good ones: what is the client told?"""
    _one_bad(stand, "lock", "unserializable")


def _one_bad(stand: Stand, word: str, call: str) -> None:
    """A bad task among good ones, waited for; what the client is told of it."""
    stand.submit(10)
    stand.harm()
    bad = stand.submit_other(word, call)
    stand.submit(10)
    stand.watch(BAD_TASK_SECONDS, lambda: bad is None or bad.outcome.has_ended)
    stand.notes[word] = "refused" if bad is None else bad.outcome.state
    stand.notes[f"{word}_told"] = "" if bad is None else bad.outcome.value


SCENARIOS: dict[str, Scenario] = {
    each.__name__: each
    for each in (
        nothing,
        child_killed,
        worker_killed,
        worker_paused,
        worker_ended,
        server_killed,
        out_of_memory,
        poison,
        malformed,
        unserializable,
    )
}
