"""A server that a test takes away and brings back."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis
from daemons import wait_for

from farpool.embedded import find_server_binary


class RestartableServer:
    """A server with an append-only file that can be killed and started again.

    `launcher`: a command that turns into another.  `port`: 0 for none; with one, it listens to any network.
    """

    def __init__(self, folder: Path, launcher: Sequence[str] = (), port: int = 0) -> None:
        self.folder, self.socket = folder, folder / "s"
        self._launcher, self._port = launcher, port
        self.url = f"unix://{self.socket}"
        self.start()

    def start(self) -> None:
        options = [
            "--port",
            str(self._port),
            "--protected-mode",
            "no",
            "--unixsocket",
            str(self.socket),
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
        ]
        command = [*self._launcher, str(find_server_binary()), "--dir", str(self.folder), "--save", "", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.socket)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def restartable(folder: Path) -> Iterator[RestartableServer]:
    server = RestartableServer(folder)
    try:
        yield server
    finally:
        server.kill()
