"""A primary, a replica and three sentinels that watch them."""

import subprocess
from pathlib import Path

import redis
from daemons import wait_for
from replicated import NO_PATH, Node, free_port

from farpool.embedded import find_server_binary

SERVICE = "main"

DOWN_AFTER_MS, FAILOVER_MS = 500, 3000
"""Scaled down from 30 s and 180 s, for tests."""

CONFIG = """
port {port}
dir {folder}
sentinel monitor {service} 127.0.0.1 {primary} 2
sentinel down-after-milliseconds {service} {down_after}
sentinel failover-timeout {service} {failover}
"""


class SentinelProcess:
    """One sentinel."""

    def __init__(self, folder: Path, primary: int) -> None:
        folder.mkdir()
        self.port = free_port()
        config = folder / "sentinel.conf"
        values = {"port": self.port, "folder": folder, "primary": primary, "service": SERVICE}
        config.write_text(CONFIG.format(**values, down_after=DOWN_AFTER_MS, failover=FAILOVER_MS))
        command = [str(find_server_binary(path=NO_PATH)), str(config), "--sentinel"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=self.port)
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def primary_port(self) -> int:
        """Where it sends clients."""
        return int(self.client.sentinel_get_master_addr_by_name(SERVICE)[1])

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

    def __init__(self, folder: Path) -> None:
        kept = ("--appendonly", "yes", "--appendfsync", "everysec")
        self.nodes = [Node(folder / name, *kept) for name in ("one", "two")]
        self.nodes[1].follow(self.nodes[0])
        self.sentinels = [SentinelProcess(folder / f"sentinel{n}", self.nodes[0].port) for n in range(3)]
        wait_for(lambda: all(sentinel.knows_all() for sentinel in self.sentinels))
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.service_url = f"redis+sentinel://{hosts}/{SERVICE}"

    @property
    def primary(self) -> Node:
        """Whoever most of the sentinels call so."""
        ports = sorted(sentinel.primary_port() for sentinel in self.sentinels)
        return next(node for node in self.nodes if node.port == ports[1])

    @property
    def url(self) -> str:
        return self.primary.url

    def fail_over(self) -> None:
        """Have a living primary replaced; returns when it is."""
        before = self.primary
        self.sentinels[0].client.sentinel_failover(SERVICE)
        wait_for(lambda: self.primary is not before)

    def kill(self) -> None:
        for each in (*self.sentinels, *self.nodes):
            each.kill()
