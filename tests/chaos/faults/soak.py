"""Everything at once: harm after harm, drawn from the seed, to two daemons under load."""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import chaos_tasks
from rq.job import Retry
from world import LEASE, World

from farpool import WorkerLostError
from faults import messages, processes, servers

SECONDS = float(os.environ.get("FARPOOL_SOAK_SECONDS", "600"))

MOST_OPEN = 60
"""Tasks without a result: more are not submitted, so that the end of the soak is not a long wait."""


def soak(world: World) -> None:
    """For ten minutes; then what is open comes to its end."""
    world.start_daemons("d1", "d2")
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if world.open_tasks() < MOST_OPEN:
            world.submit(world.random.randint(5, 20), retry=Retry(max=20))
        harm = world.random.choice(HARMS)
        print(f"{time.monotonic() - world.harm_at:7.1f} s  {getattr(harm, '__name__', harm)}")
        harm(world)
        world.pause(0.1, 2 * LEASE)
    world.harm()


def _kill_a_daemon(world: World) -> None:
    victim = world.random.choice(world.living())
    victim.process.kill()
    victim.wait()
    world.start_daemons(f"d{len(world.daemons) + 1}")


def _replace_a_daemon(world: World) -> None:
    processes.replace(world, world.random.choice(world.living()), f"d{len(world.daemons) + 1}")


def _stop_a_daemon(world: World) -> None:
    processes.stop_for(world.random.choice(world.living()), world.random.uniform(0.3, 3) * LEASE)


def _break_connections(world: World) -> None:
    world.proxy.break_all()


def _poison(world: World) -> None:
    bad = world.executor.submit(chaos_tasks.poison, str(world.journal), f"poison{world.others}")
    world.others += 1
    bad.add_done_callback(partial(_see, world))


def _see(world: World, bad: Future[None]) -> None:
    if not isinstance(bad.exception(), WorkerLostError):
        world.verdict.notes.append(f"a poison ended with {bad.exception()!r}")


HARMS: list[Callable[[World], None]] = [
    processes.kill_a_child,
    _kill_a_daemon,
    _replace_a_daemon,
    _stop_a_daemon,
    messages.lose_messages,
    messages.fall_silent,
    _break_connections,
    servers.restart,
    servers.fill_memory,
    *(partial(servers.be, mood=mood) for mood in servers.MOODS),
    _poison,
]
