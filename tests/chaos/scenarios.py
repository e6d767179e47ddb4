"""The faults that matter most.  Each does one kind of harm to a world under load, at times drawn from its seed."""

import os
import signal
import time
from collections.abc import Callable

import chaos_tasks
from daemons import wait_for
from proxy import Harm, Rule
from rq.job import Retry
from world import LEASE, World, orphans_of

from farpool import WorkerLostError
from farpool_common.broker import connect

Scenario = Callable[[World], None]


def child_killed(world: World) -> None:
    """SIGKILL to processes in the middle of tasks.  As with RQ, only jobs that say so run again."""
    daemons = world.start_daemons("a", "b")
    world.submit(30, retry=Retry(max=5))
    world.wait_until_running(3)
    world.harm()
    for _ in range(3):
        world.pause(0.05, 0.3)
        victims = [child for daemon in daemons for child in daemon.children()]
        if victims:
            os.kill(world.random.choice(victims).pid, signal.SIGKILL)


def daemon_killed(world: World) -> None:
    """SIGKILL to a daemon with busy children; another one stands by."""
    first, _ = world.start_daemons("a", "b")
    world.submit(30)
    world.wait_until_running(2)
    world.pause(0, 0.5)
    below = [child.pid for child in first.children()]
    world.harm()
    first.process.kill()
    first.wait()
    time.sleep(2)
    if left := orphans_of(below):
        world.verdict.notes.append(f"{len(left)} processes outlived their daemon by 2 s")


def daemon_stopped(world: World) -> None:
    """SIGSTOP for three leases, then SIGCONT: it must not overwrite what others have done."""
    first, _ = world.start_daemons("a", "b")
    world.submit(30)
    world.wait_until_running(2)
    world.pause(0, 0.3)
    world.harm()
    first.process.send_signal(signal.SIGSTOP)
    time.sleep(3 * LEASE)
    first.process.send_signal(signal.SIGCONT)
    world.submit(4)


def host_stopped(world: World) -> None:
    """The same for a daemon and all its processes, as when a machine is paused."""
    first, _ = world.start_daemons("a", "b")
    world.submit(30)
    world.wait_until_running(2)
    world.pause(0, 0.3)
    everything = [first.pid, *(child.pid for child in first.children())]
    world.harm()
    for pid in everything:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3 * LEASE)
    for pid in orphans_of(everything):
        os.kill(pid, signal.SIGCONT)
    world.submit(4)


def rolling_restart(world: World) -> None:
    """SIGTERM to one daemon after the other, its successor running already: nothing runs twice."""
    running = world.start_daemons("a1", "b1", "c1")
    world.harm()
    for turn in range(3):
        world.submit(12)
        world.pause(0.05, 0.3)
        leaving = running.pop(0)
        running += world.start_daemons(f"{'abc'[turn]}2")
        leaving.terminate()
        code = leaving.wait()
        if code != 0:
            world.verdict.notes.append(f"{leaving.name} ended with {code}")


def messages_lost(world: World) -> None:
    """Requests and replies of every script that moves tasks get lost on the way."""
    world.start_daemons("a", "b")
    world.harm()
    for command in ("enqueue", "claim", "finish", "succeed", "heartbeat", "deliver", "release", "BLMOVE"):
        for harm in (Harm.LOSE_REQUEST, Harm.LOSE_REPLY):
            world.proxy.rules.append(Rule(command, harm, first=world.random.randint(1, 6), times=2))
    world.submit(40)


def server_killed(world: World) -> None:
    """SIGKILL to the server, a few seconds without it, and a restart from its append-only file."""
    world.start_daemons("a", "b")
    world.submit(30)
    world.wait_until_running(2)
    world.pause(0.1, 0.5)
    world.harm()
    world.server.kill()
    world.proxy.break_all()
    world.pause(0.5, 3.0)
    world.server.start()
    world.submit(4)


def failover(world: World) -> None:
    """The replica learns nothing for half a second, then the primary is gone.  With durability `replica`."""
    world.start_daemons("a", "b")
    world.submit(15, jobs=0)
    world.wait_until_running(2)
    world.pause(0, 0.3)
    world.server.cut_link()
    world.submit(15, jobs=0)
    time.sleep(0.5)
    world.harm()
    world.server.fail_over()
    world.proxy.socket_path = str(world.server.socket)
    world.proxy.break_all()
    world.submit(4, jobs=0)


def partition(world: World) -> None:
    """Nothing passes and nothing breaks, for less than a lease up to three of them."""
    world.start_daemons("a", "b")
    world.submit(30)
    world.wait_until_running(2)
    world.harm()
    world.proxy.weather.is_silent = True
    world.pause(0.5 * LEASE, 3 * LEASE)
    world.proxy.weather.is_silent = False
    world.submit(4)


def out_of_memory(world: World) -> None:
    """The server takes no writes that need memory: leases and results land, new tasks wait or are refused."""
    world.start_daemons("a", "b")
    world.submit(20)
    world.wait_until_running(2)
    with connect(world.server.url) as client:
        world.harm()
        client.config_set("maxmemory", "1mb")
        world.pause(LEASE, 2 * LEASE)
        client.config_set("maxmemory", "0")
    world.submit(4)


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


def junk(world: World) -> None:
    """Records, ids and messages that nobody should believe."""
    world.start_daemons("a", "b")
    world.harm()
    world.others = 30
    with connect(world.server.url) as client:
        for number in range(30):
            world.submit(1)
            raw = world.random.randbytes(world.random.randint(0, 60))
            field = world.random.choice(["data", "status", "timeout", "farpool_reply", "farpool_retries", "origin"])
            client.hset(f"rq:job:junk{number}", mapping={"data": b"\x94", "origin": "default", field: raw})
            client.rpush("rq:queue:default", world.random.choice([raw or b"-", f"junk{number}"]))
            client.publish(f"rq:pubsub:{world.random.choice('ab')}", raw)
    wait_for(lambda: all(daemon.process.poll() is None for daemon in world.daemons), world.logs)


def slow_network(world: World) -> None:
    """Late replies, and bytes that come one by one."""
    world.proxy.weather.delay_seconds = world.random.uniform(0.002, 0.02)
    world.proxy.weather.is_sliced = world.random.random() < 0.5
    world.start_daemons("a", "b")
    world.harm()
    world.submit(16)


SCENARIOS: dict[str, Scenario] = {
    each.__name__: each
    for each in (
        child_killed,
        daemon_killed,
        daemon_stopped,
        host_stopped,
        rolling_restart,
        messages_lost,
        server_killed,
        failover,
        partition,
        out_of_memory,
        poison,
        junk,
        slow_network,
    )
}

WITH_REPLICA = ("failover",)

WITHOUT_EXTRA_RUNS = ("rolling_restart", "out_of_memory", "junk", "slow_network")
"""Nothing is lost there that had begun, so nothing may run again."""
