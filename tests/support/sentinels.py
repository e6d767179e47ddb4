"""A primary, a replica and three sentinels that watch them."""

import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import redis
from daemons import wait_for
from redis.backoff import NoBackoff
from redis.retry import Retry
from replicated import NO_PATH, Node, free_port

from farpool.embedded import find_server_binary

SERVICE = "main"

DOWN_AFTER_MS, FAILOVER_MS = 500, 3000
"""Scaled down from 30 s and 180 s, for tests."""

CONFIG = """
port {port}
dir {folder}
sentinel monitor {service} {address} {primary} 2
sentinel down-after-milliseconds {service} {down_after}
sentinel failover-timeout {service} {failover}
"""


Place = tuple[Sequence[str], str]
"""Where a process runs: its launcher, and the address at which others reach it."""

HERE: Place = ((), "127.0.0.1")


class SentinelProcess:
    """One sentinel."""

    def __init__(self, folder: Path, primary: Node, place: Place) -> None:
        folder.mkdir()
        launcher, self.address = place
        self.port = free_port()
        config = folder / "sentinel.conf"
        values = {"port": self.port, "folder": folder, "address": primary.address, "primary": primary.port}
        times = {"down_after": DOWN_AFTER_MS, "failover": FAILOVER_MS}
        config.write_text(CONFIG.format(**values, **times, service=SERVICE))
        command = [*launcher, str(find_server_binary(path=NO_PATH)), str(config), "--sentinel"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.client = redis.Redis(self.address, self.port, socket_timeout=1.0, retry=Retry(NoBackoff(), 0))
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def primary_port(self) -> int | None:
        """Where it sends clients; None while it cannot be reached."""
        try:
            return int(self.client.sentinel_get_master_addr_by_name(SERVICE)[1])
        except redis.RedisError:
            return None

    def hurry(self) -> None:
        """Look and tell more often: a primary of the past is made a replica within a second, not 8."""
        self.client.execute_command("SENTINEL", "DEBUG", "publish-period", 100, "info-period", 200)

    def knows_all(self) -> bool:
        """Whether it has found the other sentinels and the replica."""
        state = self.client.sentinel_master(SERVICE)
        return state["num-other-sentinels"] == 2 and state["num-slaves"] == 1

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.client.close()


class Guarded:
    """The whole.  `url` is the unix socket of whoever the sentinels say is primary, to look at it directly."""

    def __init__(self, folder: Path, places: Sequence[Place] = (HERE, HERE, HERE)) -> None:
        """`places`: of the primary, the replica, and the third sentinel."""
        kept = ("--appendonly", "yes", "--appendfsync", "everysec")
        servers = zip(("one", "two"), places, strict=False)
        self.nodes = [Node(folder / name, *kept, launcher=on, address=at) for name, (on, at) in servers]
        self._primary = self.nodes[0]
        self.nodes[1].follow(self._primary)
        self.sentinels = [
            SentinelProcess(folder / f"sentinel{n}", self.nodes[0], place) for n, place in enumerate(places)
        ]
        wait_for(lambda: all(sentinel.knows_all() for sentinel in self.sentinels))
        hosts = ",".join(f"{sentinel.address}:{sentinel.port}" for sentinel in self.sentinels)
        self.service_url = f"redis+sentinel://{hosts}/{SERVICE}"

    @property
    def primary(self) -> Node:
        """Whoever two of the sentinels call so.  While they disagree, the one that was it before."""
        told = Counter(sentinel.primary_port() for sentinel in self.sentinels)
        named = [node for node in self.nodes if told[node.port] > 1]
        self._primary = named[0] if named else self._primary
        return self._primary

    @property
    def url(self) -> str:
        return self.primary.url

    def fail_over(self) -> None:
        """Have a living primary replaced; returns when it is."""
        before = self.primary
        self.sentinels[0].client.sentinel_failover(SERVICE)
        wait_for(lambda: self.primary is not before)

    def reunite(self) -> None:
        """Wait until one is primary and the other its replica: sentinels see to it, and may change their minds."""
        for sentinel in self.sentinels:
            sentinel.hurry()
        wait_for(lambda: sorted(node.client.info("replication")["role"] for node in self.nodes) == ["master", "slave"])

    def kill(self) -> None:
        for each in (*self.sentinels, *self.nodes):
            each.kill()
