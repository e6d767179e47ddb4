"""Single values over many hosts: `multiprocessing.Value`."""

import ctypes
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from farpool.shared.handle import Shared
from farpool.shared.locks import Lock, LockLike, RLock
from farpool.shared.wire import packed, unpacked

C_TYPES: dict[str, Any] = {
    "c": ctypes.c_char,
    "u": ctypes.c_wchar,
    "b": ctypes.c_byte,
    "B": ctypes.c_ubyte,
    "h": ctypes.c_short,
    "H": ctypes.c_ushort,
    "i": ctypes.c_int,
    "I": ctypes.c_uint,
    "l": ctypes.c_long,
    "L": ctypes.c_ulong,
    "q": ctypes.c_longlong,
    "Q": ctypes.c_ulonglong,
    "f": ctypes.c_float,
    "d": ctypes.c_double,
}
"""The type codes of multiprocessing."""


def code_of(typecode_or_type: Any) -> str:
    """The type code of a code or of a plain ctypes type.  Raises TypeError."""
    if isinstance(typecode_or_type, str) and typecode_or_type in C_TYPES:
        return typecode_or_type
    known = {found: code for code, found in reversed(C_TYPES.items())}
    known[ctypes.c_bool] = "?"
    code: str | None = known.get(typecode_or_type)
    if code is None:
        raise TypeError(f"{typecode_or_type!r} is no type code or plain ctypes type: it is one of {' '.join(C_TYPES)}")
    return code


def c_type(code: str) -> Any:
    """The ctypes type of a code.  Raises KeyError."""
    return ctypes.c_bool if code == "?" else C_TYPES[code]


class Locked(Shared):
    """Something with a lock of its own, as multiprocessing's synchronized objects have."""

    _lock: LockLike | None = None
    _made_lock = False

    def _make_lock(self, lock: LockLike | bool, name: str | None, url: str | None) -> None:
        self._made_lock = lock is True
        if lock is True:
            self._lock = RLock(name=None if name is None else f"{name} (its lock)", url=url)
        elif lock is not False:
            self._lock = lock

    def get_lock(self) -> LockLike:
        """The lock that was made with it.  Raises AttributeError for one that was made with lock=False."""
        if self._lock is None:
            raise AttributeError(f"{self!r} was made with lock=False")
        return self._lock

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Acquire its lock."""
        return self.get_lock().acquire(block, timeout)

    def release(self) -> None:
        """Release its lock."""
        self.get_lock().release()

    def __enter__(self) -> bool:
        return self.get_lock().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.get_lock().release()

    def free(self) -> None:
        """See Shared; the lock goes too, if it was made for this object here."""
        super().free()
        if self._made_lock and self._lock is not None:
            self._lock.free()

    def _restore_lock(self, lock: Any) -> None:
        if not isinstance(lock, (Lock, RLock, type(None))):
            raise TypeError("lock")
        self._lock = lock


class Value(Locked):
    """`multiprocessing.Value` over hosts: one number or character of a C type, converted as ctypes does.

    Reading and writing `value` are atomic each.  `value.value += 1` is both: hold `get_lock()` around it.
    A value of that `name` which exists keeps its content.
    """

    kind = "value"

    def __init__(
        self,
        typecode_or_type: Any,
        *args: Any,
        lock: LockLike | bool = True,
        name: str | None = None,
        url: str | None = None,
    ) -> None:
        self._code = code_of(typecode_or_type)
        first = c_type(self._code)(*args).value
        found = self._make(name, url, {"value": packed(first), "code": self._code})
        self._check_code(found)
        self._make_lock(lock, name, url)

    @property
    def value(self) -> Any:
        """What it holds now."""
        return unpacked(self._fields("value")[0])

    @value.setter
    def value(self, new: Any) -> None:
        self._run("write", "value", packed(c_type(self._code)(new).value))

    def _check_code(self, found: dict[bytes, bytes]) -> None:
        if found[b"code"].decode() != self._code:
            raise TypeError(f"{self!r} exists with type code {found[b'code'].decode()!r}, not {self._code!r}")

    def _details(self) -> list[Any]:
        return [self._code, self._lock]

    def _restore(self, details: Sequence[Any]) -> None:
        self._code, lock = details
        c_type(self._code)
        self._restore_lock(lock)
