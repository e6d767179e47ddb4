"""What this process must renew while it lives: the objects that it owns, and the locks that it holds.

One light thread, which runs while there is something to renew.  At the end of the process its objects are
removed; should it be killed, they expire, and its locks lapse.
"""

import atexit
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import util
from typing import Any

from farpool.client.connect import Server, lease_seconds
from farpool.shared.link import close_all, link_to
from farpool_common.errors import FarpoolError

OWNER_LEASES = 4
"""An object outlives a silent owner for so many leases of a lock: a pause costs a lock before it costs data (guess)."""

NAMED_SECONDS = 24 * 3600
"""How long a named object stays after its last use."""

BEATS_PER_LEASE = 3
"""Renewals within a lease, so that one that is late does no harm."""

RENEWED_AT_ONCE = 500


@dataclass(frozen=True)
class Parts:
    """The keys of an object: its record, bells, horns, and others."""

    record: str
    bells: tuple[str, ...] = ()
    horns: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def all(self) -> list[str]:
        """In the order in which scripts get them."""
        return [self.record, *self.bells, *self.horns, *self.others]


@dataclass
class Owned:
    """An object of this process, as long as `handle` is there; it may expire when the program has let go of that."""

    server: Server
    parts: Parts
    handle: "weakref.ref[Any]"


@dataclass
class Held:
    """A lock that this process holds.  `thread` and `depth` are for those that one thread may take again."""

    server: Server
    keys: Sequence[str]
    holder: str
    fence: int
    thread: int = field(default_factory=threading.get_ident)
    depth: int = 1
    is_lost: bool = False


class Keeper:
    """Thread-safe.  A forked child begins with an empty one: what it inherited is its parent's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owned: dict[str, Owned] = {}
        self._forgotten: deque[tuple[float, str]] = deque()
        self._held: dict[tuple[str, str], Held] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.pid = os.getpid()

    @property
    def is_closed(self) -> bool:
        """Whether it renews nothing any more."""
        return self._stop.is_set()

    def own(self, server: Server, parts: Parts, handle: object) -> None:
        """Renew an object from now on, while its handle is there."""
        forgotten = self._forgotten

        def forget(_: object) -> None:  # called by the garbage collector, at any moment: it takes no lock
            forgotten.append((time.monotonic(), parts.record))

        with self._lock:
            self._forget_expired()
            self._owned[parts.record] = Owned(server, parts, weakref.ref(handle, forget))
        self._start()

    def _forget_expired(self) -> None:
        """Those that the program let go of so long ago that the server has none of them any more."""
        before = time.monotonic() - life_ms() / 1000
        while self._forgotten and self._forgotten[0][0] < before:
            self._owned.pop(self._forgotten.popleft()[1], None)

    def disown(self, record: str) -> None:
        """It was removed."""
        with self._lock:
            self._owned.pop(record, None)

    def hold(self, held: Held) -> None:
        """Renew a lock's lease from now on."""
        with self._lock:
            self._held[held.server.url, held.keys[0]] = held
        self._start()

    def held(self, server: Server, record: str) -> Held | None:
        """This process's hold of the lock with that record."""
        return self._held.get((server.url, record))

    def let_go(self, held: Held) -> None:
        """It is released, or was lost; another thread may hold it already."""
        with self._lock:
            if self._held.get((held.server.url, held.keys[0])) is held:
                del self._held[held.server.url, held.keys[0]]

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="farpool-leases", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._stop.wait(lease_seconds() / BEATS_PER_LEASE)
            with self._lock:
                has_ended = self._stop.is_set() or not (self._held or self._alive())
                if has_ended:
                    self._thread = None
                    return
            self._beat()

    def _alive(self) -> list[Owned]:
        return [owned for owned in self._owned.values() if owned.handle() is not None]

    def _beat(self) -> None:
        """Renew everything; what a server does not take now, it may take with the next beat."""
        with self._lock:
            held, owned = list(self._held.values()), self._alive()
        for each in held:
            with suppress(FarpoolError):
                _renew_lock(each)
        by_server: dict[Server, list[str]] = {}
        for one in owned:
            by_server.setdefault(one.server, []).extend(one.parts.all)
        for server, keys in by_server.items():
            with suppress(FarpoolError):
                for at in range(0, len(keys), RENEWED_AT_ONCE):
                    link_to(server).broker.renew(keys[at : at + RENEWED_AT_ONCE], life_ms())

    def close(self) -> None:
        """Remove what this process owns, release what it holds."""
        if os.getpid() != self.pid:
            return
        self._stop.set()
        with self._lock:
            held, owned = list(self._held.values()), list(self._owned.values())
            self._held, self._owned = {}, {}
        for lock in held:
            with suppress(FarpoolError):
                link_to(lock.server).run("lock_release", lock.keys, [lock.holder])
        for each in owned:
            with suppress(FarpoolError):
                free(each.server, each.parts)
        close_all()


def free(server: Server, parts: Parts) -> None:
    """Remove an object.  Who waits for it learns that it is gone.  Raises ServerError."""
    link_to(server).run("free", parts.all, [len(parts.bells), len(parts.horns)])


def life_ms() -> int:
    """How long an object outlives a silent owner, in milliseconds."""
    return int(lease_seconds() * OWNER_LEASES * 1000)


def _renew_lock(held: Held) -> None:
    started = time.monotonic()
    answer = link_to(held.server).run("lock_renew", held.keys, [held.holder, int(lease_seconds() * 1000)])
    held.is_lost = answer[0] != b"ok" or time.monotonic() - started > lease_seconds()


_keeper: Keeper | None = None
_making = threading.Lock()


def keeper() -> Keeper:
    """This process's own."""
    global _keeper
    with _making:
        if _keeper is None or _keeper.is_closed or _keeper.pid != os.getpid():
            _keeper = Keeper()
            atexit.register(_keeper.close)
            # Children of multiprocessing end without Python's own exit handlers.
            util.Finalize(None, _keeper.close, exitpriority=-1)
        return _keeper


def _after_fork() -> None:
    global _making
    _making = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
