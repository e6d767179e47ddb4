"""A thousand hosts on one server, played by the real broker without pools.

On a machine of two cores the players take more time than the server, so what is reported is the server's own CPU time
per heartbeat, per sweep and per task (INFO: used_cpu_user + used_cpu_sys), and the limit that follows from it: a server
runs commands on one core.  Bytes and commands are the server's own counts.
"""

import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import redis
from rich.console import Console
from rich.table import Table

from bench.played_hosts import QUEUE, TIMES, play
from farpool.embedded import Server
from farpool_common.broker import NewTask, ProducerBroker, connect
from farpool_common.keys import Keys

HOSTS, PROCESSES = 1_000, 2
IDLE_SECONDS = 45
BEATS = 10
"""Heartbeats and sweeps of each host, when their cost is measured."""

TASKS = 50_000
AT_ONCE = (1, 10, 50)
"""How many tasks a host claims and finishes in one call: one while tasks are long, up to fifty while they are short."""

ARRAYS, ARRAY_BYTES = 10, 64 * 1024 * 1024

KEYS = Keys()


@dataclass
class Cost:
    """What a phase cost the server (seconds of CPU, commands, bytes) and the players."""

    seconds: float = 0.0
    cpu: float = 0.0
    commands: int = 0
    received: int = 0
    sent: int = 0
    done: int = 0
    players_cpu: float = 0.0

    def each(self, amount: float) -> float:
        """Microseconds of the server's CPU per so many."""
        return 1e6 * self.cpu / amount


class Players:
    """The processes, asked all at once."""

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._ends: list[Connection] = []
        for number in range(PROCESSES):
            ours, theirs = context.Pipe()
            context.Process(target=play, args=(theirs, url, f"player{number}"), daemon=True).start()
            theirs.close()
            self._ends.append(ours)

    def ask(self, word: str, argument: float) -> list[tuple[int, float]]:
        """What each has done, and its CPU seconds."""
        for end in self._ends:
            end.send((word, argument))
        return [end.recv() for end in self._ends]

    def close(self) -> None:
        """Let them end."""
        for end in self._ends:
            end.close()
        for process in multiprocessing.active_children():
            process.join()


def main(hosts: int = HOSTS) -> None:
    """Join, beat, sweep, be idle, be rung for, work."""
    with Server() as server, connect(server.url) as client:
        players = Players(server.url)
        try:
            _measure(client, server.url, players, hosts)
        finally:
            players.close()


def _measure(client: redis.Redis, url: str, players: Players, hosts: int) -> None:
    table = Table("what", "figure", title=f"{hosts:,} hosts on one server")
    each = hosts // PROCESSES
    _joined(client, players, each, table)
    beats = _phase(client, players, "beat", BEATS)
    _add(table, "heartbeat, server's CPU", f"{beats.each(beats.done):.0f} µs", beats.done)
    sweeps = _phase(client, players, "sweep", BEATS)
    _add(table, "sweep (recovery finds nothing)", f"{sweeps.each(sweeps.done):.0f} µs", sweeps.done)
    per_second = beats.each(beats.done) / (TIMES.lease / 3) + sweeps.each(sweeps.done) / TIMES.sweep
    _add(table, "hosts that take a tenth of the server's core", f"{100_000 / per_second:,.0f}")
    _phase(client, players, "listen", 1)
    _idled(client, players, hosts, table)
    _rung(client, url, players, table)
    _worked(client, url, players, table)
    _stored(client, url, table)
    Console(width=130).print(table)


def _joined(client: redis.Redis, players: Players, each: int, table: Table) -> None:
    before = client.info()
    joined = _phase(client, players, "join", each)
    after = client.info()
    connections = after["connected_clients"] - before["connected_clients"]
    taken = after["used_memory"] - before["used_memory"]
    in_clients = after["mem_clients_normal"] - before["mem_clients_normal"]
    _add(table, "join: server's CPU per host", f"{joined.each(joined.done):.0f} µs")
    _add(table, "connections per host, before its doorbell's", f"{connections / joined.done:.1f}")
    _add(table, "server's memory per connection", f"{in_clients / connections / 1000:.1f} kB")
    _add(table, "server's memory per host, connections and records", f"{taken / joined.done / 1000:.1f} kB")


def _idled(client: redis.Redis, players: Players, hosts: int, table: Table) -> None:
    idle = _phase(client, players, "idle", IDLE_SECONDS)
    connections = client.info("clients")["connected_clients"]
    _add(table, "connections of all, idle", f"{connections:,}")
    _add(table, "idle: commands, those in scripts counted", f"{idle.commands / idle.seconds:,.0f} /s")
    _add(
        table,
        "idle: bytes to and from the server",
        f"{idle.received / idle.seconds / 1000:,.0f} + {idle.sent / idle.seconds / 1000:,.0f} kB/s",
    )
    _add(table, "idle: server's CPU", f"{100 * idle.cpu / idle.seconds:.1f} % of a core")
    _add(table, "idle: CPU of one host's broker", f"{100 * idle.players_cpu / idle.seconds / hosts:.3f} % of a core")


def _rung(client: redis.Redis, url: str, players: Players, table: Table) -> None:
    """One task while all wait: who is woken?"""
    _enqueue(url, 1, "ring")
    rung = sum(done for done, _ in players.ask("rung", 300))
    _add(table, "hosts woken by one task", str(rung))
    players.ask("hush", 1)
    players.ask("work", 1)
    client.delete(KEYS.doorbell(QUEUE))


def _worked(client: redis.Redis, url: str, players: Players, table: Table) -> None:
    for at_once in AT_ONCE:
        before = client.info("memory")["used_memory"]
        with _counted(client) as queued:
            _enqueue(url, TASKS, f"t{at_once}")
        filled = client.info("memory")["used_memory"]
        work = _phase(client, players, "work", at_once)
        left = client.info("memory")["used_memory"]
        client.delete(KEYS.reply("bench"))
        rest = client.info("memory")["used_memory"]
        cost = queued.each(TASKS) + work.each(work.done)
        _add(table, f"tasks, {at_once} at once: server's CPU to enqueue", f"{queued.each(TASKS):.1f} µs")
        _add(table, f"tasks, {at_once} at once: claim and finish", f"{work.each(work.done):.1f} µs", work.done)
        _add(table, f"tasks, {at_once} at once: that a core of the server carries", f"{1e6 / cost:,.0f} /s")
        _add(table, f"tasks, {at_once} at once: passed here", f"{work.done / work.seconds:,.0f} /s")
        _add(table, f"tasks, {at_once} at once: players' CPU", f"{1e6 * work.players_cpu / work.done:.0f} µs per task")
        if at_once == AT_ONCE[0]:  # later, records of tasks that were finished before expire meanwhile
            _add(table, "memory per queued task", f"{(filled - before) / TASKS:,.0f} bytes")
            _add(
                table,
                "memory per finished task whose producer is away, with its outcome",
                f"{(left - before) / TASKS:,.0f} bytes",
            )
            _add(
                table,
                "its record alone, until the producer asks again (120 s at most)",
                f"{(rest - before) / TASKS:,.0f} bytes",
            )


def _stored(client: redis.Redis, url: str, table: Table) -> None:
    """Arrays: written and read once, as arguments are."""
    producer, buffer = ProducerBroker(url), memoryview(bytearray(ARRAY_BYTES))
    with _counted(client) as cost:
        for number in range(ARRAYS):
            parts = producer.store(f"array-{number}", [buffer])
            assert producer.fetch(parts[0]) == buffer
            producer.forget(parts)
    producer.close()
    gigabytes = 2 * ARRAYS * ARRAY_BYTES / 1e9
    _add(table, "arrays of 64 MB, written and read: server's CPU", f"{1000 * cost.cpu / gigabytes:.0f} ms per GB")
    _add(table, "arrays of 64 MB: that a core of the server carries", f"{gigabytes / cost.cpu:.1f} GB/s")
    _add(table, "arrays of 64 MB: passed here", f"{gigabytes / cost.seconds:.2f} GB/s")


def _enqueue(url: str, count: int, name: str) -> None:
    producer = ProducerBroker(url)
    for start in range(0, count, 250):
        producer.enqueue(QUEUE, [_task(f"{name}-{number}") for number in range(start, min(start + 250, count))])
    producer.close()


def _task(name: str) -> NewTask:
    return NewTask(id=name, data=b"x" * 100, description="f (1 call)", label="m:f", reply=KEYS.reply("bench"))


def _phase(client: redis.Redis, players: Players, word: str, argument: float) -> Cost:
    with _counted(client) as cost:
        answers = players.ask(word, argument)
    cost.done, cost.players_cpu = sum(done for done, _ in answers), sum(cpu for _, cpu in answers)
    return cost


@contextmanager
def _counted(client: redis.Redis) -> Iterator[Cost]:
    cost, before, began = Cost(), client.info(), time.monotonic()
    yield cost
    after: dict[str, Any] = client.info()

    def grown(*names: str) -> float:
        return sum(after[name] - before[name] for name in names)

    cost.seconds, cost.cpu = time.monotonic() - began, grown("used_cpu_user", "used_cpu_sys")
    cost.commands = int(grown("total_commands_processed"))
    cost.received, cost.sent = int(grown("total_net_input_bytes")), int(grown("total_net_output_bytes"))


def _add(table: Table, name: str, figure: str, count: int | None = None) -> None:
    table.add_row(name, figure if count is None else f"{figure}  (of {count:,})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
