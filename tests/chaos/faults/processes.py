"""Harm to processes: children, daemons, whole hosts."""

import os
import signal
import time
from itertools import repeat
from pathlib import Path

import psutil
from daemons import Daemon, wait_for
from proxy import Harm, Rule
from rq.job import Retry
from world import LEASE, World, orphans_of

DEADLY = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)

STEPS = [
    (command, harm, number)
    for command in ("claim", "finish", "succeed", "deliver", "heartbeat", "BLMOVE", "release")
    for harm in (Harm.NOTICE, Harm.HOLD)
    for number in (signal.SIGTERM, signal.SIGKILL)
]
"""What a daemon is saying to the server when its end comes: before the server hears it, or before the daemon hears
the answer."""

FAKE_TIME = "/usr/lib/*/faketime/libfaketime.so.1"
"""Debian's package faketime."""


def child_killed(world: World) -> None:
    """Processes die in the middle of tasks.  As with RQ, only jobs that say so run again."""
    world.start_daemons("a", "b")
    world.submit(30, retry=Retry(max=5))
    world.wait_until_running(3)
    world.harm()
    for _ in range(3):
        world.pause(0.05, 0.3)
        kill_a_child(world)


def kill_a_child(world: World) -> None:
    """Of any daemon."""
    if victims := [child for daemon in world.living() for child in daemon.children()]:
        os.kill(world.random.choice(victims).pid, world.random.choice(DEADLY))


def daemon_killed(world: World) -> None:
    """SIGKILL to a daemon with busy children; another one stands by."""
    first, _ = world.begin(30)
    world.pause(0, 0.5)
    below = [child.pid for child in first.children()]
    world.harm()
    first.process.kill()
    first.wait()
    _look_for_orphans(world, below)


def daemon_stopped(world: World) -> None:
    """SIGSTOP for three leases, then SIGCONT: it must not overwrite what others have done."""
    first, _ = world.begin(30)
    world.pause(0, 0.3)
    world.harm()
    first.process.send_signal(signal.SIGSTOP)
    time.sleep(3 * LEASE)
    first.process.send_signal(signal.SIGCONT)
    world.submit(4)


def host_stopped(world: World) -> None:
    """The same for a daemon and all its processes, as when a machine is paused."""
    first, _ = world.begin(30)
    world.pause(0, 0.3)
    world.harm()
    stop_for(first, 3 * LEASE)
    world.submit(4)


def stop_for(daemon: Daemon, seconds: float) -> None:
    """A daemon and all its processes."""
    everything = [daemon.pid, *(child.pid for child in daemon.children())]
    for pid in everything:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in orphans_of(everything):
        os.kill(pid, signal.SIGCONT)


def rolling_restart(world: World) -> None:
    """SIGTERM to one daemon after the other, its successor running already: nothing runs twice."""
    running = world.start_daemons("a1", "b1", "c1")
    world.harm()
    for turn in range(3):
        world.submit(12)
        world.pause(0.05, 0.3)
        running.append(replace(world, running.pop(0), f"{'abc'[turn]}2"))


def replace(world: World, leaving: Daemon, name: str) -> Daemon:
    """SIGTERM to a daemon whose successor runs already."""
    (successor,) = world.start_daemons(name)
    leaving.terminate()
    code = leaving.wait()
    if code != 0:
        world.verdict.notes.append(f"{leaving.name} ended with {code}")
    return successor


def ended_at_each_step(world: World) -> None:
    """SIGTERM or SIGKILL at each step of a daemon's talk with the server, in turn from round to round."""
    command, harm, number = STEPS[world.verdict.seed % len(STEPS)]
    print(f"{number.name} at {command}, {harm.name}")
    own = world.another_proxy()
    (first,) = world.start_daemons("a", url=own.url)
    latest = 3 if command in ("claim", "finish", "succeed", "heartbeat") else 1  # the others may not come again soon
    rule = Rule(command, harm, first=world.random.randint(1, latest), seconds=0.05)
    rule.strike = lambda: first.process.send_signal(number)
    own.rules.append(rule)
    world.harm()
    keys = [f"chunk{number}" for number in range(8)]  # results of its first calls are delivered before its end
    results = world.executor.map(world.call()[0], repeat(str(world.journal)), keys, repeat(0.1), chunksize=len(keys))
    world.others = 1
    world.submit(30, retry=Retry(max=2))
    if command == "release":
        world.wait_until_running(2)
        first.terminate()
    wait_for(lambda: rule.done or first.process.poll() is not None, world.logs)
    below = [child.pid for child in first.children()] if first.process.poll() is None else []
    world.start_daemons("b")
    _see_it_end(world, first, number, below)
    if list(results) != [f"{key} done" for key in keys]:
        world.verdict.notes.append("a chunk came back changed")


def _see_it_end(world: World, daemon: Daemon, number: signal.Signals, below: list[int]) -> None:
    code = daemon.wait()
    if number == signal.SIGKILL:
        _look_for_orphans(world, below)
    elif code != 0:
        world.verdict.notes.append(f"after {number.name}, {daemon.name} ended with {code}")


def _look_for_orphans(world: World, pids: list[int]) -> None:
    time.sleep(2)
    if left := orphans_of(pids):
        world.verdict.notes.append(f"{len(left)} processes outlived their daemon by 2 s")


def wrong_clocks(world: World) -> None:
    """One daemon's clock is an hour late, another's an hour early; leases go by the server's."""
    (library,) = Path("/").glob(FAKE_TIME[1:])
    fake = {"LD_PRELOAD": str(library), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    world.start_daemons("late", **fake, FAKETIME="-1h")
    world.start_daemons("early", **fake, FAKETIME="+1h")
    world.start_daemons("right")
    world.harm()
    world.submit(30)
    time.sleep(2 * LEASE)
    world.submit(10)


def no_descriptors(world: World) -> None:
    """A daemon may open no file and no connection for a while, and has just lost those it had."""
    first, _ = world.begin(30)
    process = psutil.Process(first.pid)
    limits = process.rlimit(psutil.RLIMIT_NOFILE)
    world.harm()
    process.rlimit(psutil.RLIMIT_NOFILE, (3, limits[1]))
    world.proxy.break_all()
    world.pause(0.3 * LEASE, 1.5 * LEASE)
    process.rlimit(psutil.RLIMIT_NOFILE, limits)
    world.submit(10)
