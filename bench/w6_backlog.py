"""W6: a long backlog.  What a claim, a finish, an enqueue and a recovery cost with a thousand tasks and with a million.

One producer and one worker, by the broker alone: no daemon runs anything.  The server's own figures count:
microseconds of its time in scripts, and whatever its SLOWLOG keeps above 5 ms.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis
from rich.console import Console
from rich.table import Table

from farpool.embedded import Server
from farpool_common.broker import Finish, NewTask, ProducerBroker, Task, WorkerBroker, connect
from farpool_common.keys import Keys

SHORT, LONG = 1_000, 1_000_000
LEASED = 100_000
CLAIMED = 500
"""Tasks that are claimed and finished, ten at once, from the head of the backlog."""

AT_ONCE = 50
"""What a daemon claims at most in one call."""

ROUNDS = 3
SLOW_MICROSECONDS = 5_000
KEYS = Keys()


@dataclass
class Cost:
    """Of one task: wall time here, and time of the server in scripts, in microseconds.  `slow`: calls above 5 ms;
    `longest`: the longest call, as far as it is above 1 ms."""

    name: str
    wall: float = 0.0
    server: float = 0.0
    slow: int = 0
    longest: float = 0.0


def main() -> None:
    """Both backlogs, then a hundred thousand leases that nobody renews."""
    table = Table(title=f"W6 backlogs of {SHORT:,} and {LONG:,}")
    for column in ("step", "µs per task", "server's µs per task", "calls above 5 ms", "longest call above 1 ms (ms)"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for backlog in (SHORT, LONG):
        with Server() as server, connect(server.url) as client:
            for cost in _costs(server.url, client, backlog):
                longest = f"{cost.longest / 1000:.1f}" if cost.longest else "–"
                table.add_row(cost.name, f"{cost.wall:.1f}", f"{cost.server:.1f}", str(cost.slow), longest)
    Console(width=150).print(table)


def _costs(url: str, client: redis.Redis, backlog: int) -> Iterator[Cost]:
    producer, worker = ProducerBroker(url), WorkerBroker(url, "w1", ["q"])
    before = _used(client)
    with _measured(client, f"enqueue {backlog:,}", backlog) as cost:
        _enqueue(producer, 0, backlog)
    print(f"{backlog:,} queued: {(_used(client) - before) / backlog:,.0f} bytes of the server per task")
    yield cost
    yield _best(client, f"claim, {backlog:,} wait", lambda: _claimed(worker, CLAIMED, and_finish=False), CLAIMED)
    yield _best(client, f"claim and finish, {backlog:,} wait", lambda: _claimed(worker, CLAIMED // 2), CLAIMED // 2)
    if backlog == LONG:
        yield from _recovery(client, worker, url)
    producer.close()
    worker.close()


def _recovery(client: redis.Redis, worker: WorkerBroker, url: str) -> Iterator[Cost]:
    with _measured(client, f"claim {LEASED:,}, {AT_ONCE} at once", LEASED) as cost:
        for _ in range(LEASED // AT_ONCE):
            worker.claim(AT_ONCE)
    yield cost
    worker.heartbeat([], {}, lease_ms=0, keep=60, renew_rq=False)
    held, other = client.scard(KEYS.executions("w1")), WorkerBroker(url, "w2", ["q"])
    with _measured(client, f"recover {held:,} of a dead daemon", held) as cost:
        while other.recover(grace_ms=0, stray_ms=2000).tasks:
            pass
    other.close()
    yield cost


def _enqueue(producer: ProducerBroker, first: int, count: int) -> None:
    for start in range(first, first + count, 250):
        producer.enqueue("q", [_task(number) for number in range(start, min(start + 250, first + count))])


def _task(number: int) -> NewTask:
    return NewTask(id=f"t{number}", data=b"x" * 100, description="f (1 call)", label="m:f", reply=KEYS.reply("bench"))


def _claimed(worker: WorkerBroker, count: int, *, and_finish: bool = True) -> None:
    done, tasks = 0, list[Task]()
    while done < count:
        found = worker.claim(10).tasks
        tasks += found
        done += len(found)
        if and_finish:
            worker.finish([Finish(task, b"outcome") for task in found])
    if not and_finish:
        worker.release(tasks)


def _best(client: redis.Redis, name: str, run: Callable[[], None], count: int) -> Cost:
    """The round in which the server was quickest, with what was slow in any."""
    costs = []
    for _ in range(ROUNDS):
        with _measured(client, name, count) as cost:
            run()
        costs.append(cost)
    best = min(costs, key=lambda cost: cost.server)
    return Cost(name, best.wall, best.server, sum(cost.slow for cost in costs), max(cost.longest for cost in costs))


@contextmanager
def _measured(client: redis.Redis, name: str, count: int) -> Iterator[Cost]:
    cost = Cost(name)
    client.config_resetstat()
    client.config_set("slowlog-log-slower-than", 1000)
    client.config_set("slowlog-max-len", 100_000)
    client.slowlog_reset()
    began = time.perf_counter()
    yield cost
    cost.wall = (time.perf_counter() - began) / count * 1e6
    stats = client.info("commandstats")
    cost.server = sum(stats[key]["usec"] for key in stats if key in ("cmdstat_evalsha", "cmdstat_eval")) / count
    entries = [entry["duration"] for entry in client.slowlog_get(100_000) if entry["command"].startswith(b"EVAL")]
    cost.slow, cost.longest = sum(took > SLOW_MICROSECONDS for took in entries), max(entries, default=0)


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


if __name__ == "__main__":
    main()
