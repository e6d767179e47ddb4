"""Harm to the server: gone, full, or in a mood."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import redis
from world import LEASE, World

from farpool import TaskLostError
from farpool_common.broker import connect


def server_killed(world: World) -> None:
    """SIGKILL to the server, a few seconds without it, and a restart from its append-only file."""
    world.begin(30)
    world.pause(0.1, 0.5)
    world.harm()
    restart(world)
    world.submit(4)


def restart(world: World) -> None:
    """The server is away for a while."""
    world.server.kill()
    world.proxy.break_all()
    world.pause(0.5, 3.0)
    world.server.start()


def failover(world: World) -> None:
    """The replica learns nothing for half a second, then the primary is gone.  With durability `replica`."""
    world.begin(15, jobs=0)
    world.pause(0, 0.3)
    world.server.cut_link()
    world.submit(15, jobs=0)
    time.sleep(0.5)
    world.harm()
    world.server.fail_over()
    world.proxy.socket_path = str(world.server.socket)
    world.proxy.break_all()
    world.submit(4, jobs=0)


def out_of_memory(world: World) -> None:
    """The server takes no writes that need memory: leases and results land, new tasks wait or are refused."""
    world.begin(20)
    world.harm()
    fill_memory(world)
    world.submit(4)


def fill_memory(world: World) -> None:
    """For a while the server has no room."""
    with connect(world.server.url) as client:
        client.config_set("maxmemory", "1mb")
        world.pause(LEASE, 2 * LEASE)
        client.config_set("maxmemory", "0")


def herd(world: World) -> None:
    """Many daemons lose the server at the same moment and come back when it does."""
    daemons = world.start_daemons(*"abcdef")
    world.submit(40)
    world.wait_until_running(6)
    world.harm()
    restart(world)
    world.submit(20)
    if ended := [daemon.name for daemon in daemons if daemon.process.poll() is not None]:
        world.verdict.notes.append(f"daemons ended: {ended}")


def server_refuses(world: World) -> None:
    """For a while the server is a replica, wants a password, runs an endless script, cannot save, or is stopped."""
    world.begin(20)
    world.harm()
    for mood in world.random.sample(MOODS, 2):
        be(world, mood)
        world.submit(5)


def be(world: World, mood: Callable[[World], AbstractContextManager[None]]) -> None:
    """For a while the server is like this."""
    print(mood.__name__)
    with mood(world):
        world.pause(0.3, 1.5 * LEASE)


@contextmanager
def _as_a_replica(world: World) -> Iterator[None]:
    """READONLY"""
    with connect(world.server.url) as client:
        client.replicaof("127.0.0.1", 1)
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def _with_a_password(world: World) -> Iterator[None]:
    """NOAUTH"""
    with connect(world.server.url) as client:
        client.config_set("requirepass", "changed")
        world.proxy.break_all()
        yield
        client.config_set("requirepass", "")


@contextmanager
def _busy(world: World) -> Iterator[None]:
    """BUSY"""
    with connect(world.server.url) as client:
        client.config_set("busy-reply-threshold", 50)
    endless = threading.Thread(target=_runs_for_ever, args=(world.server.url,))
    endless.start()
    yield
    with connect(world.server.url) as client:
        client.script_kill()
    endless.join()


def _runs_for_ever(url: str) -> None:
    with connect(url, timeout=60) as client, suppress(redis.ResponseError):
        client.eval("while true do end", 0)


@contextmanager
def _unable_to_save(world: World) -> Iterator[None]:
    """MISCONF"""
    in_the_way = world.folder / "dump.rdb"
    in_the_way.mkdir()
    with connect(world.server.url) as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        while client.info("persistence")["rdb_bgsave_in_progress"]:
            time.sleep(0.01)
        yield
        in_the_way.rmdir()
        client.config_set("save", "")


@contextmanager
def _stopped(world: World) -> Iterator[None]:
    """Connections stay, and nothing is answered."""
    os.kill(world.server.process.pid, signal.SIGSTOP)
    yield
    os.kill(world.server.process.pid, signal.SIGCONT)


MOODS = (_as_a_replica, _with_a_password, _busy, _unable_to_save, _stopped)


def server_forgets(world: World) -> None:
    """All data is gone: what was accepted cannot end well, and is told; what comes later is not touched."""
    world.start_daemons("a", "b")
    call = world.call()
    futures = [world.executor.submit(*call, f"gone{number}", 0.05) for number in range(30)]
    world.others = len(futures)
    world.wait_until_running(2)
    world.harm()
    with connect(world.server.url) as client:
        client.flushall()
    for future in futures:
        error = future.exception(60)
        if not (error is None or isinstance(error, TaskLostError)):
            world.verdict.notes.append(f"a forgotten task ended with {error!r}")
    world.submit(10)
