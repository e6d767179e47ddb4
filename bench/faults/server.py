"""A server with an append-only file, on a port of this machine, that can be killed and started again."""

import socket
import subprocess
import time
from pathlib import Path

import redis

from farpool.embedded import find_server_binary

START_SECONDS = 20.0


class Server:
    """It listens on the loopback address only; all systems reach it by TCP, as they would in earnest."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_port()
        self.binary = find_server_binary()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--appendonly", "yes", "--save", ""]
        command = [str(self.binary), "--dir", str(self._folder), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"{self.binary} does not answer")
            time.sleep(0.01)

    def set_most_memory(self, amount: str) -> None:
        """Refuse writes that need memory from now on, or take them again with "0"."""
        with redis.Redis.from_url(self.url) as client:
            client.config_set("maxmemory", amount)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
