"""`python -m bench.peers install [NAME ...]` makes the environments, `try NAME ...` runs a little of each workload.

Without words it tells what there is.
"""

import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

from bench.environments import install, is_installed
from bench.peers.contender import check, run
from bench.peers.orders import ORDERS, Order
from bench.peers.systems import PEERS

TRIAL_PART = 20
"""A trial is so much smaller than a run."""


def main(words: Sequence[str]) -> int:
    """Install the named peers, or all."""
    if words[:1] == ["install"] and set(words[1:]) <= set(PEERS):
        for name in words[1:] or PEERS:
            install(PEERS[name])
        return 0
    if words[:1] == ["try"]:
        check(words[1:])
        for name in words[1:]:
            _try(name)
        return 0
    for peer in PEERS.values():
        state = "" if is_installed(peer) else f"  (python -m bench.peers install {peer.name})"
        print(f"{peer.name:10} {peer.title}{state}")
    return 0 if not words else 2


def _try(name: str) -> None:
    for report, order in ORDERS.items():
        found = run(PEERS[name], _part(order(PEERS[name])))
        used = sum(found.cpu.values()) / found.amount * 1e6
        commands = found.traffic.get("commands", 0) / found.amount
        figures = "".join(f"  {figure} {value:.2f}" for figure, value in found.figures.items())
        rate = found.amount / found.seconds
        print(f"{name:9} {report:8} {rate:12,.0f}/s  CPU {used:8.1f} µs  {commands:6.2f} commands{figures}", flush=True)


def _part(order: Order) -> Order:
    amount = max(1, order.amount // TRIAL_PART)
    return replace(order, amount=amount, counted=max(1, round(order.counted * amount / order.amount)))


if __name__ == "__main__":
    # Ended from outside, it ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
