"""A peer as a contender: its server, its adapter and its workers live for one run each, so none disturbs another."""

import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import redis

from bench.conditions import CONDITIONS
from bench.environments import is_installed, versions
from bench.line_process import LineProcess
from bench.measure import Run, measured, timed
from bench.peers.orders import ORDERS, Order
from bench.peers.systems import PEERS, Peer
from farpool.embedded import Server

ANSWER_SECONDS = 300.0
WARM_PART = 10
"""The run is done with a tenth of its amount first."""


def check(names: Sequence[str]) -> None:
    """Raises SystemExit for a name that is unknown or not installed."""
    for name in names:
        if name not in PEERS:
            raise SystemExit(f"there is no peer {name}; there are {', '.join(PEERS)}")
        if not is_installed(PEERS[name]):
            raise SystemExit(f"{name} is not installed: python -m bench.peers install {name}")


def contenders(names: Sequence[str], report: str) -> dict[str, Callable[[], Run]]:
    """By title, for one of the reports in `ORDERS`."""
    return {PEERS[name].title: partial(run, PEERS[name], ORDERS[report](PEERS[name])) for name in names}


def about(names: Sequence[str]) -> dict[str, Any]:
    """How the peers were set up, for the record."""
    return {PEERS[name].title: {"settings": PEERS[name].settings, "versions": versions(PEERS[name])} for name in names}


def run(peer: Peer, order: Order) -> Run:
    """Start everything, warm it up, run, and end everything."""
    before = set(psutil.Process().children())
    with _server(peer) as server, _adapter(peer, order.workload, server) as adapter:
        roots = [process.pid for process in set(psutil.Process().children()) - before]
        adapter.ask(do=order.workload, amount=max(1, order.amount // WARM_PART), **order.more)
        with measured(server and server.local_url, roots) as found:
            told = adapter.ask(do=order.workload, amount=order.amount, **order.more)
    found.cpu = _roles(found.cpu)
    found.seconds, found.amount = told["seconds"], order.counted
    return timed(found, told["times"]) if "times" in told else found


def _roles(cpu: dict[str, float]) -> dict[str, float]:
    """Whatever is neither the client nor the server is the workers', however they divide their work."""
    known = {role: cpu.get(role, 0.0) for role in ("client", "server")}
    return known | {"worker": sum(cpu.values()) - sum(known.values())}


@contextmanager
def _server(peer: Peer) -> Iterator[Server | None]:
    if not peer.uses_server:
        yield None
        return
    with Server(port=_free_port()) as server:
        CONDITIONS.prepare(server.local_url)
        with redis.Redis.from_url(server.local_url) as client:
            # As much as they like: 32 MB, which is the default, cuts off subscribers to large results.
            client.config_set("client-output-buffer-limit", "pubsub 0 0 0")
        yield server


@contextmanager
def _adapter(peer: Peer, workload: str, server: Server | None) -> Iterator[LineProcess]:
    """Whatever it has started ends with it."""
    environ = {"BENCH_WORKLOAD": workload}
    if server:
        port = server.url.rpartition(":")[2].partition("/")[0]
        environ |= {"BENCH_URL": server.local_url, "BENCH_SOCKET": str(server.socket), "BENCH_TCP_PORT": port}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [peer.python, "-m", "bench.peers.adapter", peer.adapter]
        log = Path(folder) / f"{peer.name}.log"
        process = LineProcess(command, environ | {"TMPDIR": folder}, log, answer_seconds=ANSWER_SECONDS)
        below: list[psutil.Process] = []
        try:
            process.wait_until_ready()
            yield process
        finally:
            if process.process.poll() is None:
                below = psutil.Process(process.process.pid).children(recursive=True)
            process.close()
            for left in psutil.wait_procs(below, 1)[1]:
                left.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
