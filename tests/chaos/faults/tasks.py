"""Tasks that harm what runs them."""

import chaos_tasks
import numpy as np
from world import World

from farpool import ResultError, TaskTimeoutError, TooLargeError, WorkerLostError
from farpool_common.errors import RemoteError

BAD: dict[str, tuple[type[BaseException], str]] = {
    "runs_out_of_memory": (MemoryError, ""),
    "exits_behind_our_back": (WorkerLostError, "exited with code 0"),
    "exits_politely": (RemoteError, "SystemExit"),
    "hangs": (TaskTimeoutError, "limit 1 s"),
    "hangs_in_c": (TaskTimeoutError, "limit 1 s"),
    "stops_itself": (TaskTimeoutError, "limit 1 s"),
    "closes_everything": (WorkerLostError, ""),
    "writes_into_every_file": (WorkerLostError, ""),
    "segfaults": (WorkerLostError, "signal 11"),
    "returns_a_lock": (ResultError, "lock"),
    "returns_a_generator": (ResultError, "generator"),
    "returns_objects": (ResultError, "object"),
    "returns_too_much": (TooLargeError, "FARPOOL_MAX_RESULT"),
    "raises_what_cannot_be_shown": (Exception, "Unprintable"),
    "raises_a_long_chain": (ValueError, "link 999"),
    "dies_while_its_result_is_written": (WorkerLostError, "signal 9"),
}
"""Functions of chaos_tasks, and what their futures get."""


def poison(world: World) -> None:
    """A task that kills whatever runs it, among good ones."""
    world.start_daemons("a", "b")
    world.harm()
    world.submit(25)
    world.others = 1
    bad = world.executor.submit(chaos_tasks.poison, str(world.journal), "poison")
    world.submit(25)
    try:
        error = bad.exception(60)
    except TimeoutError:
        error = None
    if not isinstance(error, WorkerLostError):
        world.verdict.notes.append(f"the poison ended with {error!r}")
    killed = [daemon.text().count("was killed by signal 9") for daemon in world.daemons]
    if max(killed) > 3:
        world.verdict.notes.append(f"the poison cost {killed} processes")


def bad_tasks(world: World) -> None:
    """Every way in which a task can go wrong, among good ones.  Each is told in its own words."""
    world.start_daemons("a", "b", FARPOOL_MAX_RESULT="1000000")
    world.harm()
    view = world.executor.options(timeout=1, retries=0)
    names = world.random.sample(list(BAD), len(BAD))
    futures = {}
    for name in names:
        futures[name] = view.submit(getattr(chaos_tasks, name))
        world.submit(2)
    for name, future in futures.items():
        error = future.exception(60)
        kind, words = BAD[name]
        said = type(error).__name__ if name == "raises_what_cannot_be_shown" else f"{type(error).__name__}: {error}"
        if not isinstance(error, kind) or words not in said:
            world.verdict.notes.append(f"{name} ended with {said}")
    world.others = len(BAD)


def giants(world: World) -> None:
    """Arrays of 32 MB come and go, and small tasks beside them."""
    world.start_daemons("a", "b")
    world.harm()
    array = np.random.default_rng(world.verdict.seed).random(4_000_000)
    futures = []
    for _ in range(3):
        world.submit(6)
        futures.append(world.executor.submit(chaos_tasks.doubled, array))
    world.others = len(futures)
    if not all(np.array_equal(future.result(120), array * 2) for future in futures):
        world.verdict.notes.append("an array came back changed")
