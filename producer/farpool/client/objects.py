"""What this process has put on a server for many tasks, and keeps alive there.

Each server has one keeper.  It renews what it holds, and removes what nobody refers to any more: a `Ref` that
is gone leaves a word in a queue, which takes no lock, for the garbage collector may come at any moment.
"""

import atexit
import logging
import os
import secrets
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, TypeVar

from farpool.client.connect import Server
from farpool.shipping.seals import sealer_here
from farpool_common.backoff import Backoff
from farpool_common.broker import WAITED_OUT, StoredObjects
from farpool_common.codec import Encoded, Ref, decode, encode
from farpool_common.errors import FarpoolError, TooLargeError
from farpool_common.payload import StoredObject
from farpool_common.sizes import ARGUMENT_BYTES_SETTING
from farpool_common.stored_results import Ownership, read_description

logger = logging.getLogger("farpool")

T = TypeVar("T")

MOST_DROPPED = 200
"""Objects that are let go of at once."""

RENEWALS = 4
"""An object is renewed so many times within the time after which it expires."""


@dataclass
class _Kept:
    stored: StoredObject
    refs: int = 0
    is_sole: bool = False  # a result, which nobody else can have put


class Keeper:
    """Thread-safe.  Its thread lives as long as it holds anything."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._owner, self._pid = secrets.token_hex(8), os.getpid()
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._dropped: SimpleQueue[str] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._objects: StoredObjects | None = None

    def put(self, value: T | Ref[T], *, waits: bool = False) -> Ref[T]:
        """Store a value.  `waits`: outages are waited out.

        Raises EncodeError, TooLargeError, and what an outage raises.
        """
        if isinstance(value, Ref):
            return value
        encoded = encode(value, seal=sealer_here(self._server.key))
        most = self._server.argument_bytes
        if encoded.nbytes > most:
            raise TooLargeError(f"a {type(value).__name__} to put", encoded.nbytes, most, ARGUMENT_BYTES_SETTING)
        backoff = Backoff()
        while True:
            try:
                stored = self._store(encoded)
            except WAITED_OUT:
                if not waits:
                    raise
                backoff.wait()
            else:
                return self._ref(stored)

    def get(self, ref: Ref[T]) -> T:
        """The value of a reference, from the server."""
        if os.getpid() != self._pid:
            return keeper_of(self._server).get(ref)  # a fork may have found the lock taken, by nobody
        with self._lock:
            envelope, *buffers = self._connected().fetch(ref.id)
        value: T = decode(envelope, buffers, seal=sealer_here(self._server.key))
        return value

    @property
    def ownership(self) -> Ownership:
        """Under which name workers store results for this process."""
        return Ownership(self._owner, self._server.object_seconds)

    def adopted(self, description: Any) -> Ref[Any]:
        """The reference to a result that workers have stored for this process.  Raises DecodeError."""
        object_id, sizes = read_description(description)
        with self._lock:
            stored = self._connected().described_as(object_id, sizes)
            self._kept.setdefault(object_id, _Kept(stored, is_sole=True)).refs += 1
            self._start()
        return self._ref(stored)

    def close(self) -> None:
        """Remove everything from the server, as far as it can be reached."""
        with self._lock, suppress(FarpoolError):
            while self._kept:
                self._connected().release(self._kept.popitem()[1].stored, self._owner)

    # --- storing

    def _store(self, encoded: Encoded) -> StoredObject:
        """Under the lock all the way: what is about to be stored must not be removed as the last one goes."""
        with self._lock:
            objects = self._connected()
            stored = objects.described(encoded)
            objects.store(stored, encoded, self._owner, self._server.object_seconds)
            self._kept.setdefault(stored.id, _Kept(stored)).refs += 1
            self._start()
            return stored

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="farpool-objects", daemon=True)
            self._thread.start()

    def _ref(self, stored: StoredObject) -> Ref[Any]:
        ref: Ref[Any] = Ref(stored.id, stored.nbytes, self.get)
        weakref.finalize(ref, self._dropped.put, stored.id).atexit = False
        return ref

    def _connected(self) -> StoredObjects:
        if self._objects is None:
            self._objects = self._server.objects()
        return self._objects

    # --- the thread

    def _keep(self) -> None:
        """Renew and remove until nothing is held."""
        pause = self._server.object_seconds / RENEWALS
        due_at = monotonic() + pause
        while True:
            with suppress(Empty):
                self._forget([self._dropped.get(timeout=max(0.0, due_at - monotonic())), *self._also_dropped()])
            if monotonic() >= due_at:
                due_at = monotonic() + (pause if self._renew() else min(pause, 1.0))
            with self._lock:
                if not self._kept:
                    self._disconnect()
                    return

    def _also_dropped(self) -> Iterator[str]:
        """What else was dropped meanwhile: results go many at once."""
        with suppress(Empty):
            for _ in range(MOST_DROPPED):
                yield self._dropped.get_nowait()

    def _forget(self, object_ids: Iterable[str]) -> None:
        """References are gone.  What cannot be removed now expires."""
        with self._lock:
            unused = [kept for object_id in object_ids if (kept := self._without_ref(object_id)) is not None]
            with suppress(FarpoolError):
                if results := [kept.stored for kept in unused if kept.is_sole]:
                    self._connected().drop(results)
                for kept in unused:
                    if not kept.is_sole:
                        self._connected().release(kept.stored, self._owner)

    def _without_ref(self, object_id: str) -> _Kept | None:
        """An object to which the last reference is gone."""
        kept = self._kept.get(object_id)
        if kept is None:
            return None
        kept.refs -= 1
        return None if kept.refs else self._kept.pop(object_id)

    def _renew(self) -> bool:
        """False when the server could not be asked."""
        try:
            for kept in self._all():
                with self._lock:
                    is_there = self._connected().renew(kept.stored, self._server.object_seconds)
                if not is_there and kept.refs:
                    logger.warning("stored object %s is gone from %s", kept.stored.id[:8], self._server.place)
        except FarpoolError as error:
            logger.warning("%s. Stored objects are renewed when it is back.", error)
            return False
        return True

    def _all(self) -> list[_Kept]:
        with self._lock:
            return list(self._kept.values())

    def _disconnect(self) -> None:
        self._thread = None
        if self._objects is not None:
            self._objects.close()
            self._objects = None


_KEEPERS: dict[tuple[str, str], Keeper] = {}
_MAKING = threading.Lock()


def keeper_of(server: Server) -> Keeper:
    """The keeper of a server, the same for all that this process does there."""
    with _MAKING:
        return _KEEPERS.setdefault((server.url, server.prefix), Keeper(server))


def _close_all() -> None:
    for keeper in list(_KEEPERS.values()):
        keeper.close()


def _forget_parent() -> None:
    """In a forked child: what the parent holds is the parent's."""
    global _MAKING
    _MAKING = threading.Lock()
    _KEEPERS.clear()


# At import: thus before any executor's hook, and run after these, whose calls may need the objects.
atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_parent)
