"""`multiprocessing.shared_memory` over hosts.

    from farpool import shared_memory

No two hosts have memory in common.  A block lies on the server, and each process that has it open has a copy, `buf`,
brought up to date at known moments (docs/decisions/0044): bytes that were changed here are written, those that others
have changed are read.  Others' bytes are never overwritten with what was not changed.

The moments: opening and closing a block, each access to `buf`, `sync`; in a program, also when it submits a call or
starts a process, and when a result arrives.  A call closes what it has opened, or calls `sync`.
"""

import errno
import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from farpool.client import moments
from farpool.shared.arrays import Array
from farpool.shared.lists import List
from farpool_common.errors import SharedStateGoneError
from farpool_common.handles import Handle


class SharedMemory(Handle):
    """`multiprocessing.shared_memory.SharedMemory` over hosts; see the module for when others see a change.

    What a process has created is gone when that process ends.  `track` has no effect.  May be an argument of a call.
    Raises FileNotFoundError for a name that nobody has created, FileExistsError for one that somebody has.
    """

    def __init__(self, name: str | None = None, create: bool = False, size: int = 0, *, track: bool = True) -> None:
        if size < 0:
            raise ValueError("'size' must be a positive integer")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if not create and name is None:
            raise ValueError("'name' can only be None if create=True")
        with _opening:
            self._copy: _Copy | None = _created(name, size) if create else _opened(str(name))
            self._copy.users += 1
        self._name, self._size = self._copy.name, self._copy.size

    @property
    def name(self) -> str:
        """Under which other processes open it."""
        return self._name

    @property
    def size(self) -> int:
        """In bytes."""
        return self._size

    @property
    def buf(self) -> memoryview:
        """This process's copy, brought up to date.  Keep it in a variable where many bytes are looked at in turn."""
        copy = self._open_copy
        copy.sync()
        return copy.view

    def sync(self) -> None:
        """Write what was changed here, and read what others have changed.  Raises SharedStateGoneError."""
        self._open_copy.sync()

    def close(self) -> None:
        """Write what was changed here, and let go of it.  May be called again."""
        with _opening:
            copy, self._copy = self._copy, None
            if copy is not None:
                copy.release()

    def unlink(self) -> None:
        """Remove the block, for everybody."""
        _attached(self._name).free()
        for known in (_copies, _owned):
            known.pop(self._name, None)

    @property
    def _open_copy(self) -> "_Copy":
        if self._copy is None:
            raise ValueError("operation forbidden on released memoryview object")
        return self._copy

    def description(self) -> tuple[str, str, Sequence[Any]]:
        """See Handle."""
        return "memory", self._name, []

    @classmethod
    def from_description(cls, object_id: str, details: Sequence[Any]) -> Self:
        """See Handle."""
        return cls(object_id)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._name,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r}, size={self._size})"


class ShareableList(List):
    """`multiprocessing.shared_memory.ShareableList` over hosts: a list of fixed length, each access one step at the
    server, so that others see a change at once.  Items may be any values that travel, of any length.
    """

    def __init__(self, sequence: Iterable[Any] | None = None, *, name: str | None = None) -> None:
        if sequence is None:
            self._id = str(name)
            _owned.setdefault(self._id, self)
        else:
            super().__init__(sequence, name=name)
            _owned[self._id] = self

    @property
    def shm(self) -> "_Linked":
        """Has `name`, `close` and `unlink`."""
        return _Linked(self)

    def _fixed(self, *_: Any, **__: Any) -> Any:
        raise AttributeError("a ShareableList has a fixed length")

    append = insert = pop = remove = clear = _fixed

    @property
    def format(self) -> str:
        """For the standard library's sake: there is no packing format here."""
        return ""


class _Linked:
    """What a ShareableList's `shm` is used for."""

    def __init__(self, shared: ShareableList) -> None:
        self._shared, self.name = shared, shared._id

    def close(self) -> None:
        """Nothing is held open."""

    def unlink(self) -> None:
        """Remove the list, for everybody."""
        self._shared.free()
        _owned.pop(self.name, None)


# --- this process's copies ------------------------------------------------------------------------


class _Block(Array):
    """The bytes on the server."""

    def __init__(self, name: str | None, size: int) -> None:
        self._code, self._length, maker = "B", size, secrets.token_hex(8)
        shape = {"code": "B", "length": size, "maker": maker}
        found = self._make(name, None, shape, ("bytes", bytes(size)))
        if found[b"maker"].decode() != maker:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)

    def read(self) -> bytes:
        """All of it."""
        return self._bytes(0, self._length)

    def write(self, runs: Iterable[Any]) -> None:
        """Overwrite runs of bytes: an offset and bytes, an offset and bytes, ..."""
        self._run("array_write", *runs)


class _Copy:
    """What is open here under one name, however often."""

    def __init__(self, block: _Block) -> None:
        self.block, self.name, self.size, self.users = block, block._id, len(block), 0
        self._bytes = bytearray(block.read())
        self.view = memoryview(self._bytes)
        self._here = np.frombuffer(self._bytes, np.uint8)
        self._known = self._here.copy()  # as the server had it when we looked last
        self._lock = threading.Lock()
        moments.before_calls.append(self.publish)
        moments.after_results.append(self.sync)

    def publish(self) -> None:
        """Write the bytes that were changed here, in one step."""
        with self._lock:
            now = self._here.copy()  # others write on meanwhile
            changed = np.flatnonzero(now != self._known)
            if not len(changed):
                return
            runs = np.split(changed, np.flatnonzero(np.diff(changed) > 1) + 1)
            pairs = ((int(run[0]), now[run[0] : run[-1] + 1].tobytes()) for run in runs)
            self.block.write([part for pair in pairs for part in pair])
            self._known[changed] = now[changed]

    def sync(self) -> None:
        """Write what was changed here, then read what others have changed."""
        self.publish()
        with self._lock:
            fresh = np.frombuffer(self.block.read(), np.uint8)
            changed = fresh != self._known
            self._here[changed] = fresh[changed]
            self._known[changed] = fresh[changed]

    def release(self) -> None:
        """One user less."""
        self.users -= 1
        if self.name in _copies:
            self.publish()
        if not self.users:
            moments.before_calls.remove(self.publish)
            moments.after_results.remove(self.sync)
            _copies.pop(self.name, None)


_opening = threading.RLock()
_copies: dict[str, _Copy] = {}
_owned: dict[str, Any] = {}
"""What this process has created, which is gone when nothing refers to it."""


def _created(name: str | None, size: int) -> _Copy:
    block = _Block(name, size)
    _owned[block._id] = block
    copy = _copies[block._id] = _Copy(block)
    return copy


def _opened(name: str) -> _Copy:
    if name not in _copies:
        _copies[name] = _Copy(_attached(name))
    return _copies[name]


def _attached(name: str) -> _Block:
    block = _Block.__new__(_Block)
    block._id, block._code, block._length = name, "B", 0
    try:
        block._length = int(block._fields("length")[0])
    except SharedStateGoneError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
    return block
