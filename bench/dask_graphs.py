"""dask: a graph of small arrays by references and by values, and what of it goes through the client's connection."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import dask.array as da
import numpy as np

import farpool.dask
from bench.hosts import executor, url_of
from bench.joblib_calls import KEY
from bench.measure import Run, alternated, measured, report
from bench.relay import Relay, relayed
from farpool import Executor

SIZE, BLOCK = 1_000, 250
BY_VALUE, BY_REFERENCE = "compute(scheduler=executor)", "farpool.dask.get"


def main(rounds: int = 5) -> None:
    """The same graph both ways, on two daemons without shared memory, as between hosts."""
    graph = _graph()
    wanted = graph.compute(scheduler="sync")
    with (
        mock.patch.dict(os.environ, KEY),
        executor(shares_memory=False) as pool,
        relayed(url_of(pool)) as relay,
        Executor(relay.url) as ours,
    ):
        contenders = {
            BY_VALUE: _contender(relay, lambda: graph.compute(scheduler=ours), wanted),
            BY_REFERENCE: _contender(
                relay, lambda: graph.compute(scheduler=partial(farpool.dask.get, executor=ours)), wanted
            ),
        }
        for contender in contenders.values():
            contender()
        runs = alternated(contenders, rounds)
    report(f"dask {SIZE} x {SIZE} product, standardized, in blocks of {BLOCK}", runs, 1, "graph", BY_VALUE)


def _graph() -> Any:
    x = da.random.default_rng(0).random((SIZE, SIZE), chunks=(BLOCK, BLOCK))
    y = x @ x.T
    return ((y - y.mean(axis=0)) / y.std(axis=0)).max()


def _contender(relay: Relay, compute: Callable[[], Any], wanted: Any) -> Callable[[], Run]:
    def run() -> Run:
        before = relay.sent, relay.received
        with measured() as found:
            result = compute()
        assert np.isclose(result, wanted)
        found.figures["MB from the client"] = (relay.sent - before[0]) / 1e6
        found.figures["MB to the client"] = (relay.received - before[1]) / 1e6
        return found

    return run


if __name__ == "__main__":
    main()
