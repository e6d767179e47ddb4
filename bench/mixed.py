"""Mixed: calls of 1 ms, now and then one of 2 s.  How long the short ones take while a long one runs.

One long call at a time on two processes, so a short call need not wait for any: what it waits beyond the others
before it is held up for no reason.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from bench.hosts import executor
from bench.tasks import pauses, pauses_long

SHORT_SECONDS, LONG_SECONDS = 0.001, 2.0
CALLS = 1_000
EVERY_SECONDS = 0.0025
"""Between two calls of a stream: 40 % of what two processes could do."""

Found = dict[tuple[str, str], list[tuple[float, float, float, int]]]


def main(rounds: int = 5) -> None:
    """A burst of calls, and a stream of them; the long calls of the same function, and of another."""
    found: Found = {}
    with ExitStack() as stack:
        contenders: dict[str, Executor] = {
            "ProcessPoolExecutor(2)": stack.enter_context(ProcessPoolExecutor(2)),
            "farpool, one host of 2 slots": stack.enter_context(executor(1, 2)),
            "farpool, two hosts of 1 slot": stack.enter_context(executor(2, 1)),
        }
        for _ in range(rounds):
            for kind, every in (("burst", 0.0), ("stream", EVERY_SECONDS)):
                for functions, long in (("one function", pauses), ("two functions", pauses_long)):
                    for name, contender in contenders.items():
                        found.setdefault((f"{kind}, {functions}", name), []).append(mixed(contender, long, every))
    _print(found)


def mixed(pool: Executor, long: Callable[[float], float], every: float) -> tuple[float, float, float, int]:
    """p50, p99 and the longest time of the short calls, and how many ended after the long one had."""
    list(pool.map(pauses, [SHORT_SECONDS] * 50))
    times: list[float] = []
    began = time.perf_counter()
    futures = [_submitted(pool, pauses, SHORT_SECONDS, times, began + n * every) for n in range(CALLS // 10)]
    last = pool.submit(long, LONG_SECONDS)
    ended: list[float] = []
    last.add_done_callback(lambda _: ended.append(time.perf_counter()))
    late: list[float] = []
    for n in range(CALLS // 10, CALLS):
        future = _submitted(pool, pauses, SHORT_SECONDS, times, began + n * every)
        if not every:
            future.add_done_callback(lambda _: late.append(1.0) if ended else None)
        futures.append(future)
    for future in [*futures, last]:
        future.result()
    quantiles = statistics.quantiles(times, n=100)
    return quantiles[49], quantiles[98], max(times), len(late)


def _submitted(
    pool: Executor, function: Callable[[float], float], seconds: float, times: list[float], at: float
) -> Future[float]:
    while (left := at - time.perf_counter()) > 0:
        time.sleep(left)
    submitted = time.perf_counter()
    future = pool.submit(function, seconds)
    future.add_done_callback(lambda _: times.append(time.perf_counter() - submitted))
    return future


def _print(found: Found) -> None:
    table = Table(title=f"Mixed: {CALLS:,} calls of {SHORT_SECONDS * 1000:g} ms and one of {LONG_SECONDS:g} s")
    for column in ("calls", "contender", "p50 ms", "p99 ms", "longest ms", "p99 by round", "behind the long call"):
        table.add_column(column, justify="right" if "ms" in column else "left")
    for (kind, name), runs in found.items():
        p50, p99, longest = (statistics.median(run[at] for run in runs) * 1000 for at in range(3))
        rounds = " ".join(f"{run[1] * 1000:.0f}" for run in runs)
        table.add_row(kind, name, f"{p50:.1f}", f"{p99:.1f}", f"{longest:.1f}", rounds, str([run[3] for run in runs]))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
