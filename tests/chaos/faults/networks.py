"""Faults of the network between real hosts: each daemon in a namespace of its own, the server in another."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import chaos_tasks
from daemons import Daemon
from namespaces import Host, Network, Way
from oracle import runs_in
from restartable import RestartableServer
from world import LEASE, PROMISE, StampedWorld

PORT = 6379

LONG_SECONDS = PROMISE + 1.5
"""A task that would still run here after somebody else has begun it."""

PATIENT = {"FARPOOL_LEASE_SECONDS": "6", "FARPOOL_GRACE_SECONDS": "1"}
"""For links on which a packet that was lost three times running comes 1.4 s late: that is under LEASE, and no fault
of the protocol.  The design wants round trips below a sixth of the lease."""

BALLAST_BYTES = 5000
"""What each task carries over slow links: a fifth of a second."""

SERVING_SECONDS = 30.0
"""By then a daemon serves again after a cut: reconnecting takes 5 s, and pauses between tries 5 s at most."""


class NetworkWorld(StampedWorld):
    """The journal lies on a file system that all hosts share, and so do their monotonic clocks."""

    network: Network

    def build(self, has_replica: bool) -> None:
        self.network, self.environ, self.ballast = Network(), dict[str, str](), b""
        self.hosts: dict[str, Host] = {}
        try:
            self.url = self.build_server()
        except BaseException:
            self.network.close()
            raise

    def build_server(self) -> str:
        """Start it, on a host of its own; the URL."""
        self.server_host = self.network.host()
        self.server: Any = RestartableServer(self.folder, self.server_host.launcher, PORT)
        return f"redis://{self.server_host.address}:{PORT}/0"

    def call(self) -> tuple[Any, ...]:
        return (chaos_tasks.laden, self.ballast, str(self.journal)) if self.ballast else super().call()

    def clear(self) -> None:
        self.server.kill()
        self.network.close()

    def new_daemon(self, name: str, *options: str, url: str | None = None, **environ: str) -> Daemon:
        host = self.hosts[name] = self.network.host()
        log = self.folder / f"{name}.log"
        return Daemon(url or self.url, name, log, *options, launcher=host.launcher, **self.environ, **environ)

    def start_load(self) -> Daemon:
        """Two hosts; the one that is returned is in the middle of a long task, which the other has time to take."""
        self.start_daemons("a", "b")
        self.task_seconds = (LONG_SECONDS, LONG_SECONDS)
        self.submit(1, jobs=0)
        self.wait_until_running()
        self.task_seconds = (0.02, 0.2)
        self.submit(16)
        self.pause(0, 0.3)
        (run, *_) = runs_in(self.journal)
        return next(daemon for daemon in self.daemons if run.pid in {child.pid for child in daemon.children()})

    def see_that_they_serve(self, *names: str) -> None:
        """Each of these hosts, without a restart, runs a task again."""
        missing, deadline = set(names), time.monotonic() + SERVING_SECONDS
        while missing and time.monotonic() < deadline:
            self.submit(2, jobs=0)
            for future in list(self.futures.values())[-2:]:
                future.result(SERVING_SECONDS)
                missing.discard(future.host)  # type: ignore[attr-defined]
        ended = [daemon.name for daemon in self.daemons if daemon.process.poll() is not None]
        if missing or set(ended) & set(names):
            self.verdict.notes.append(f"{', '.join(sorted(missing)) or 'none'} did not serve again; ended: {ended}")


def cut(world: NetworkWorld, way: Way, seconds: float) -> None:
    """One of two hosts cannot be heard, or hear, or both."""
    victim = world.hosts[world.start_load().name]
    world.harm()
    victim.cut(way)
    time.sleep(seconds)
    victim.heal()
    world.see_that_they_serve("a", "b")


def server_cut_off(world: NetworkWorld) -> None:
    """Nobody reaches the server, the producer neither."""
    world.start_load()
    world.harm()
    world.server_host.cut(Way.BOTH)
    time.sleep(3 * LEASE)
    world.server_host.heal()
    world.see_that_they_serve("a", "b")


def host_vanishes(world: NetworkWorld) -> None:
    """Its cable is gone first, so that nobody hears of the end of its connections; then all its processes."""
    victim = world.start_load()
    below = [child.pid for child in victim.children()]
    world.harm()
    world.hosts[victim.name].unplug()
    for pid in (victim.pid, *below):
        os.kill(pid, signal.SIGKILL)
    world.see_that_they_serve("b" if victim.name == "a" else "a")


def slow_links(world: NetworkWorld) -> None:
    """200 kbit/s for each host, and as much to carry as they can for some seconds."""
    world.environ, world.ballast = PATIENT, world.random.randbytes(BALLAST_BYTES)
    world.harm()
    world.start_daemons("a", "b")
    for host in world.hosts.values():
        host.slow_down(200)
    world.submit(40)
    world.see_that_they_serve("a", "b")


def lossy_links(world: NetworkWorld) -> None:
    """One packet in ten is lost, on each way."""
    world.environ = PATIENT
    world.harm()
    world.start_daemons("a", "b")
    for host in (world.server_host, *world.hosts.values()):
        host.lose_some(0.1)
    world.submit(40)
    world.see_that_they_serve("a", "b")


LENGTHS = {"1_s": 1.0, "a_lease": LEASE, "3_leases": 3 * LEASE}
WAYS = {"unheard": Way.OUT, "deaf": Way.IN, "cut_off": Way.BOTH, "unplugged": Way.GONE}

CUTS: dict[str, Callable[[NetworkWorld], None]] = {
    f"host_{name}_for_{length}": partial(cut, way=way, seconds=seconds)
    for name, way in WAYS.items()
    for length, seconds in LENGTHS.items()
}

NETWORK_SCENARIOS = CUTS | {each.__name__: each for each in (server_cut_off, host_vanishes, slow_links, lossy_links)}
"""All need a NetworkWorld, and root."""

NETWORK_WITHOUT_EXTRA_RUNS = ("slow_links", "lossy_links")
"""No lease may lapse there, so nothing may run again."""
