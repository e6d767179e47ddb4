"""How much of each workload a peer is given: seconds of work, whatever its speed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.peers.systems import Peer

SECONDS = 3
"""How long a run of many small calls takes, about."""

MOST_CALLS, MOST_ITEMS, MOST_ROUND_TRIPS = 100_000, 1_000_000, 2_000
MEAN_JOBS = 8


@dataclass(frozen=True)
class Order:
    """A workload as the adapter is told it: how much of it, and what else `bench.peers.adapter` takes."""

    workload: str
    amount: int
    counted: int
    """The amount in the unit of the report."""

    more: Mapping[str, int] = field(default_factory=dict)


def _w1(peer: Peer) -> Order:
    calls = min(MOST_CALLS, SECONDS * peer.speed)
    return Order("w1", calls, calls)


def _w2(peer: Peer) -> Order:
    calls = min(MOST_ROUND_TRIPS, peer.speed // 2)
    return Order("w2", calls, calls)


def _w3(peer: Peer) -> Order:
    items = min(MOST_ITEMS, SECONDS * (peer.items_speed or peer.speed))
    return Order("w3", items, items)


def _w4(_peer: Peer) -> Order:
    return Order("w4", MEAN_JOBS, MEAN_JOBS)


def _w5(length: int, times: int) -> Callable[[Peer], Order]:
    def order(peer: Peer) -> Order:
        amount = max(1, times // 5) if peer.is_slow_with_arrays else times
        return Order("w5", amount, round(2 * 8 * length * amount / 1e6), {"length": length})

    return order


ORDERS: dict[str, Callable[[Peer], Order]] = {
    "w1": _w1,
    "w2": _w2,
    "w3": _w3,
    "w4": _w4,
    "w5-1MB": _w5(125_000, 200),
    "w5-64MB": _w5(8_000_000, 5),
}
"""By the name of the report that they belong to."""
