"""A Redis or Valkey server of our own, which ends with the process that started it."""

import os
import shutil
import string
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from farpool.embedded.ask import ask
from farpool.embedded.binary import find_server_binary
from farpool.embedded.data_folder import claimed_folder
from farpool.embedded.guardian import Guardian
from farpool.embedded.log_tail import log_tail
from farpool_common.address import socket_url
from farpool_common.errors import ServerUnreachableError, SettingsError
from farpool_common.escape import printable
from farpool_common.shared import SharedFolder

START_SECONDS = 10.0
"""Without data the programs answer 10 to 50 ms after their start; a large append-only file takes longer."""

POLL_SECONDS = 0.003
SAVE_SECONDS = 5.0
"""What a server that keeps its data gets to write it (guess).  Without data it is killed at once."""

LONGEST_SOCKET_PATH = 100
"""The kernel takes 107 bytes, macOS 103."""

KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TZ")
"""The rest of our environment may hold secrets, and a server reads none of it."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Server:
    """A running server on a private unix socket, and on a TCP port where one is given.

    Beside it is a folder in memory for its workers and producers on this machine (None where that is not possible).
    It keeps nothing on disk unless `data` names a folder for an append-only file.  It ends with `close()`,
    with the last reference, or with this process, however that ends.  A forked child can use the server
    and cannot stop it.  Raises ServerUnreachableError and SettingsError.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        bind: str = "127.0.0.1",
        password: str | None = None,
        data: Path | None = None,
        binary: Path | None = None,
    ) -> None:
        _check_listening(bind, password)
        self.binary = binary or find_server_binary()
        self._password = password
        with ExitStack() as undo:
            if data is not None:
                undo.enter_context(claimed_folder(data))
            self.directory = _private_directory()
            undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
            # Not where tasks outlive the server, nor where workers of other hosts may join.
            self.folder = SharedFolder.created() if data is None and bind in LOOPBACK else None
            if self.folder is not None:
                undo.callback(shutil.rmtree, self.folder.path, ignore_errors=True)
            self.socket, self.log = self.directory / "s", self.directory / "server.log"
            self.local_url = _with_password(socket_url(str(self.socket)), password)
            tcp_url = f"redis://{_reachable(bind)}:{port}/0"
            self.url = self.local_url if port is None else _with_password(tcp_url, password)
            config = self._write_config([*_listen_lines(port, bind, password), *_data_lines(data, self.directory)])
            # What the server writes before it has read its configuration goes to the log as well.
            with self.log.open("ab") as output:
                self.guardian = Guardian(
                    [str(self.binary), str(config)],
                    environ={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
                    output=output,
                    directory=self.directory,
                    memory=None if self.folder is None else self.folder.path,
                )
            undo.callback(self.guardian.close, SAVE_SECONDS if data else 0.0)
            self._wait_until_ready(time.monotonic() + START_SECONDS)
            self._undo = undo.pop_all()

    @property
    def is_running(self) -> bool:
        """True while the server answers."""
        return self.ask("PING") == "+PONG"

    def ask(self, *words: str) -> str:
        """The first line of the reply to one command, "" when the server does not answer."""
        return ask(self.socket, *words, password=self._password)

    def close(self) -> None:
        """Stop the server and remove its directory.  Does nothing in a forked child."""
        if self.guardian.is_ours:
            self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_config(self, lines: list[str]) -> Path:
        """A file, because a password on the command line is for everybody to read."""
        config = self.directory / "server.conf"
        own = [
            f"unixsocket {_quoted(str(self.socket))}",
            "unixsocketperm 700",
            f"logfile {_quoted(str(self.log))}",
            "daemonize no",
            'save ""',
            # Every key is somebody's task or result: refuse to write rather than forget one.
            "maxmemory-policy noeviction",
            # A result stream holds one entry; the default of 4096 takes 4.4 KB for each (measured).
            "stream-node-max-bytes 512",
            # Above 64 bytes in one field a record becomes a table: three times the memory, and with a million of
            # them queued a claim takes a fifth longer, for the processor misses its caches (measured).
            "hash-max-listpack-value 1024",
        ]
        config.touch(0o600)
        config.write_text("\n".join([*own, *lines, ""]))
        return config

    def _wait_until_ready(self, deadline: float) -> None:
        while not self.is_running:
            if self.guardian.wait(POLL_SECONDS) is not None:
                raise ServerUnreachableError(f"{self.binary} ended at its start:{log_tail(self.log)}")
            if time.monotonic() > deadline:
                raise ServerUnreachableError(
                    f"{self.binary} did not answer within {START_SECONDS:g} s:{log_tail(self.log)}"
                )


def _check_listening(bind: str, password: str | None) -> None:
    if bind not in LOOPBACK and not password:
        raise SettingsError(
            f"a server on {printable(bind)} can be reached by others and needs a password; "
            f"without one it listens on {LOOPBACK[0]} only."
        )


def _private_directory() -> Path:
    """A new directory that only we can enter, with a path short enough for a socket in it."""
    directory = Path(tempfile.mkdtemp(prefix="farpool-"))
    if len(str(directory)) + 2 <= LONGEST_SOCKET_PATH:
        return directory
    directory.rmdir()
    return Path(tempfile.mkdtemp(prefix="farpool-", dir="/tmp"))


def _listen_lines(port: int | None, bind: str, password: str | None) -> list[str]:
    lines = [f"port {port or 0}", f"bind {_quoted(bind)}"]
    return lines if password is None else [*lines, f"requirepass {_quoted(password)}"]


def _data_lines(data: Path | None, directory: Path) -> list[str]:
    # The folder is named without data as well: whoever switches a file on later finds it there and not in
    # the user's current directory.
    folder = directory if data is None else data.resolve()
    return [f"appendonly {'no' if data is None else 'yes'}", f"dir {_quoted(str(folder))}"]


def _quoted(text: str) -> str:
    """A value in the server's own syntax, whatever is in it."""
    plain = (string.ascii_letters + string.digits + "/._-:").encode()
    shown = (chr(each) if each in plain else f"\\x{each:02x}" for each in text.encode())
    return '"' + "".join(shown) + '"'


def _reachable(bind: str) -> str:
    """Where this machine reaches a server that is bound there."""
    if bind in ("0.0.0.0", "::", "*"):
        return LOOPBACK[0]
    return f"[{bind}]" if ":" in bind else bind


def _with_password(url: str, password: str | None) -> str:
    scheme, _, rest = url.partition("://")
    return url if password is None else f"{scheme}://:{quote(password, safe='')}@{rest}"
