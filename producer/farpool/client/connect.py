"""Which server an executor uses, and the connection to it.  The environment is read here only."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol
from urllib.parse import urlsplit

from farpool_common.address import Address, find_address, prefix_from
from farpool_common.broker import ProducerBroker, StoredObjects, connect
from farpool_common.errors import SettingsError
from farpool_common.keys import Keys
from farpool_common.signing import SigningKey, pool_key_from
from farpool_common.sizes import ARGUMENT_BYTES_SETTING, MAX_BYTES, most_bytes

PROBE_SECONDS = 1.0
"""How long a server on this machine may take to accept a connection."""

OBJECT_SECONDS = 300
"""What was put stays so long on the server after its producer died or was cut off (guess)."""

LEASE_SECONDS = 15.0
"""How long a lock is held, without a word of its holder (guess: as long as a host's lease)."""

MIN_LEASE_SECONDS, MAX_LEASE_SECONDS = 0.1, 86400.0

LEASE_SETTING = "FARPOOL_SHARED_SECONDS"

_last: "list[Server]" = []  # the server that was found last, if any


@dataclass(frozen=True)
class Server:
    """Where the server is, below which prefix its keys lie, and how many bytes arguments may take.  `key` is that of a
    pool on this machine, with which functions that have no name travel."""

    url: str = field(repr=False)
    place: str
    prefix: str
    argument_bytes: int = MAX_BYTES
    object_seconds: int = OBJECT_SECONDS
    key: SigningKey | None = field(default=None, repr=False)

    def objects(self) -> StoredObjects:
        """The stored objects there, over a new connection."""
        return StoredObjects(connect(self.url, bulk=True, timeout=30.0), Keys(self.prefix), self.place)

    def broker(self) -> ProducerBroker:
        """A new broker with its own connections."""
        return ProducerBroker(self.url, Keys(self.prefix))


def find_server(url: str | None, environ: Mapping[str, str] | None = None) -> Server:
    """The server by the argument or the environment; without either, localhost or an embedded one.

    Raises SettingsError, and whatever starting an embedded server raises.
    """
    environ = os.environ if environ is None else environ
    address, key = find_address(url, environ, "url="), None
    if address.source == "default" and not _answers(address):
        pool = _embedded_pool()
        address, key = find_address(pool.url, environ), pool.key
    elif address.source == "FARPOOL_URL":
        key = pool_key_from(environ)
    argument_bytes, seconds = most_bytes(environ, ARGUMENT_BYTES_SETTING), _object_seconds(environ)
    _last[:] = [Server(address.url, address.masked, prefix_from(environ), argument_bytes, seconds, key)]
    return _last[0]


def _object_seconds(environ: Mapping[str, str]) -> int:
    raw = environ.get("FARPOOL_OBJECT_SECONDS", "")
    if raw and not (raw.isdecimal() and 0 < int(raw) < 10**9):
        raise SettingsError(f"FARPOOL_OBJECT_SECONDS={raw!r} is not a whole number of seconds")
    return int(raw) if raw else OBJECT_SECONDS


def last_server() -> Server:
    """The server that this process has found last; found now, if it is the first.  Raises as `find_server`."""
    return _last[0] if _last else find_server(None)


def runs_tasks(environ: Mapping[str, str] | None = None) -> bool:
    """Whether this process is a worker's, or was started by one."""
    return bool((os.environ if environ is None else environ).get("FARPOOL_CHILD"))


def lease_seconds(environ: Mapping[str, str] | None = None) -> float:
    """How long leases of shared objects last.  Raises SettingsError."""
    raw = (os.environ if environ is None else environ).get(LEASE_SETTING, "")
    try:
        seconds = float(raw or LEASE_SECONDS)
    except ValueError:
        seconds = -1.0
    if not MIN_LEASE_SECONDS <= seconds < MAX_LEASE_SECONDS:
        raise SettingsError(f"{LEASE_SETTING}={raw!r} is not a number of seconds between 0.1 and a day")
    return seconds


def _answers(address: Address) -> bool:
    """True when something listens on localhost."""
    parts = urlsplit(address.url)
    try:
        socket.create_connection((parts.hostname or "localhost", parts.port or 6379), PROBE_SECONDS).close()
    except OSError:
        return False
    return True


class _EmbeddedPool(Protocol):
    @property
    def url(self) -> str: ...
    @property
    def key(self) -> SigningKey | None: ...


def _embedded_pool() -> _EmbeddedPool:
    """This process's own server and worker, started when they are first needed."""
    process_pool: Callable[[], _EmbeddedPool] = import_module("farpool.embedded").process_pool
    return process_pool()
