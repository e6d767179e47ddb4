"""Hosts without pools, many in one process: they claim, beat, sweep, listen and finish by the real broker."""

import heapq
import random
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from farpool_common.broker import Finish, WorkerBroker, register
from farpool_common.broker.doorbell import WAIT_SECONDS
from farpool_worker.fleet.lease import HOST_RECORD_SECONDS, STOCK_MS, STRAY_MS
from farpool_worker.host.lease_times import LeaseTimes

QUEUE = "default"
TIMES = LeaseTimes()

INFO = {
    "hostname": "host-of-a-name-as-they-are",
    "pid": 4_000_000,
    "slots": 16,
    "busy": 0,
    "queues": QUEUE,
    "reason": "16 cores may be used",
    "started_at": "2026-01-01T00:00:00+00:00",
    "accept": "msgpack",
    "state": "idle",
}
"""What a daemon tells of itself with each heartbeat."""

LISTENED_SECONDS = WAIT_SECONDS + 0.2
"""After so long the server has let go of a doorbell for certain."""

THREADS = 4
"""That work at once in one process; the broker waits for the server without holding Python's lock."""


class PlayedHost:
    """One daemon's connections: main loop, lease thread, doorbell, commands."""

    def __init__(self, url: str, name: str) -> None:
        self.broker, self.lease = WorkerBroker(url, name, [QUEUE]), WorkerBroker(url, name, [QUEUE])
        register(self.broker.client, self.broker.keys, name, [QUEUE], self.broker.place)
        self.beat()
        commands: Any = self.broker.client.pubsub(ignore_subscribe_messages=True)
        commands.subscribe(self.broker.keys.channel(name))
        self._commands = commands
        self.broker.check()  # on a connection of its own: the one before listens to commands by now
        (self.bell,) = self.broker.doorbells()

    def beat(self) -> None:
        """One heartbeat, as of a host that holds nothing."""
        self.lease.heartbeat([], INFO, lease_ms=int(1000 * TIMES.lease), keep=HOST_RECORD_SECONDS, renew_rq=False)

    def sweep(self) -> None:
        """One look at what others have lost."""
        self.lease.recover(grace_ms=int(1000 * TIMES.grace), stray_ms=STRAY_MS, stock_ms=STOCK_MS)

    def listen(self) -> None:
        """Wait at the doorbell, again if the server has let go."""
        if self.bell.is_armed:
            self.bell.answer()
        self.bell.arm(time.monotonic())

    def hush(self) -> None:
        """Wait no more."""
        self.bell.close()

    def work(self, at_once: int) -> int:
        """Claim some tasks and finish them at once."""
        tasks = self.broker.claim(at_once).tasks
        if tasks:
            self.broker.finish([Finish(task, b"outcome of a small task") for task in tasks])
        return len(tasks)

    def close(self) -> None:
        """Drop the connections."""
        self.bell.close()
        self._commands.close()
        self.broker.close()
        self.lease.close()


@dataclass
class Player:
    """All hosts of one process, and what it was asked to do with them."""

    url: str
    name: str
    hosts: list[PlayedHost] = field(default_factory=list)

    def join(self, count: int) -> int:
        """So many hosts sign on."""
        self.hosts += [PlayedHost(self.url, f"{self.name}-{number}") for number in range(count)]
        return count

    def beat(self, times: int) -> int:
        """Every host beats so often, one after the other."""
        return self._all(times, PlayedHost.beat)

    def sweep(self, times: int) -> int:
        """Every host sweeps so often."""
        return self._all(times, PlayedHost.sweep)

    def listen(self, times: int) -> int:
        """Every host waits at its doorbell."""
        return self._all(times, PlayedHost.listen)

    def hush(self, times: int) -> int:
        """No host waits any more."""
        return self._all(times, PlayedHost.hush)

    def _all(self, times: int, act: Callable[[PlayedHost], None]) -> int:
        for _ in range(times):
            for host in self.hosts:
                act(host)
        return times * len(self.hosts)

    def rung(self, within_ms: int) -> int:
        """At how many doorbells somebody has rung."""
        poll = select.poll()
        for host in self.hosts:
            poll.register(host.bell, select.POLLIN)
        time.sleep(within_ms / 1000)
        return len(poll.poll(0))

    def idle(self, seconds: float) -> int:
        """Do what idle daemons do, each at its own time; returns how often something was due."""
        now = time.monotonic()
        until, done = now + seconds, 0
        due: list[tuple[float, int, float, Callable[[], None]]] = []
        for host in self.hosts:
            for act, every in ((host.beat, TIMES.lease / 3), (host.sweep, TIMES.sweep)):
                due.append((now + random.uniform(0, every), len(due), every, act))
            due.append((host.bell.armed_at + LISTENED_SECONDS, len(due), LISTENED_SECONDS, host.listen))
        heapq.heapify(due)
        while due[0][0] < until:
            at, number, every, act = heapq.heappop(due)
            time.sleep(max(0.0, at - time.monotonic()))
            act()
            heapq.heappush(due, (at + every, number, every, act))
            done += 1
        return done

    def work(self, at_once: int) -> int:
        """Empty the queue, each host in its turn; returns the number of tasks."""
        shares = [self.hosts[number::THREADS] for number in range(THREADS)]
        done = [0] * THREADS

        def empty(number: int) -> None:
            found = -1
            while found:
                found = sum(host.work(at_once) for host in shares[number])
                done[number] += found

        threads = [threading.Thread(target=empty, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done)


def play(connection: Connection, url: str, name: str) -> None:
    """What a process runs: obey until the other end is closed."""
    player = Player(url, name)
    while True:
        try:
            word, argument = connection.recv()
        except EOFError:
            break
        cpu = time.process_time()
        connection.send((getattr(player, word)(argument), time.process_time() - cpu))
    for host in player.hosts:
        host.close()
