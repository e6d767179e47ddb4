"""An exception on the wire: what a worker saw, and how a producer rebuilds it.

The class comes back when it is a builtin or already imported here; nothing is imported because the
wire says so.  A user's class is rebuilt without running its `__init__`, whose parameters we cannot
know, as pickle would from `args` and `__dict__`.
"""

import builtins
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from farpool_common.codec import encode
from farpool_common.errors import DecodeError, EncodeError, RemoteError, RemoteTraceback
from farpool_common.names import class_name, loaded_class

MAX_TRACEBACK = 64 * 1024
"""Characters of a remote traceback that travel; a chain of exceptions can grow without bound (guess)."""


@dataclass(frozen=True)
class Failure:
    """An exception as values that can travel."""

    type_name: str
    message: str
    args: Sequence[Any]
    state: dict[str, Any]
    traceback: str
    notes: Sequence[str] = ()
    bases: Sequence[str] = ()
    """Names of the class and of those that it derives from, for who wants to know without having them."""

    def fields(self) -> list[Any]:
        """The wire form, before encoding."""
        return [self.type_name, self.message, self.args, self.state, self.traceback, self.notes, self.bases]

    @classmethod
    def from_fields(cls, fields: Any) -> "Failure":
        """Read the wire form.  Raises DecodeError."""
        match fields:
            case [
                str(name),
                str(message),
                (list() | tuple()) as args,
                dict(state),
                str(text),
                (list() | tuple()) as notes,
                (list() | tuple()) as bases,
            ]:
                return cls(name, message, args, state, text, *([str(each) for each in all_] for all_ in (notes, bases)))
            case _:
                raise DecodeError("not a failure record")

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Describe an exception; never raises, whatever the exception's own methods do."""
        state = {k: v for k, v in getattr(error, "__dict__", {}).items() if k != "__notes__"}
        notes = [str(note) for note in getattr(error, "__notes__", ())]
        return cls(
            class_name(type(error)),
            _text(error),
            [_travelling(arg) for arg in error.args],
            {k: v for k, v in state.items() if _can_travel(v)},
            _shortened(_format(error)),
            notes,
            names_of(type(error)),
        )

    def exception(self) -> Exception:
        """The exception to raise in the producer, its remote traceback as `__cause__`."""
        error = self._rebuilt() or RemoteError(self.type_name, self.message, self.traceback)
        for note in self.notes:
            error.add_note(note)
        error.__cause__ = RemoteTraceback(self.traceback) if self.traceback else None
        return error

    def _rebuilt(self) -> Exception | None:
        try:
            found = loaded_class(self.type_name)
            if not issubclass(found, Exception):
                return None
            if found.__module__ == builtins.__name__:
                return found(*self.args)
            error = found.__new__(found, *self.args)
            error.args = tuple(self.args)
            error.__dict__.update(self.state)
        except Exception:  # an unknown class, or one that refuses: RemoteError tells the same
            return None
        return error


def names_of(kind: type[BaseException]) -> list[str]:
    """Names of an exception's class and of its bases, the nearest first."""
    return [class_name(base) for base in kind.__mro__ if issubclass(base, Exception)]


def _text(error: BaseException) -> str:
    try:
        return _shortened(str(error))
    except Exception as broken:
        return f"<its message cannot be shown: {type(broken).__name__}>"


def _format(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception as broken:
        return f"{type(error).__name__}: <its traceback cannot be shown: {type(broken).__name__}>"


def _shortened(text: str) -> str:
    if len(text) <= MAX_TRACEBACK:
        return text
    half = MAX_TRACEBACK // 2
    return f"{text[:half]}\n... {len(text) - MAX_TRACEBACK:,} characters left out ...\n{text[-half:]}"


def _can_travel(value: Any) -> bool:
    try:
        return encode(value).nbytes <= MAX_TRACEBACK
    except EncodeError:
        return False


def _travelling(value: Any) -> Any:
    """The value, or its description when it cannot travel."""
    if _can_travel(value):
        return value
    try:
        return _shortened(repr(value))
    except Exception:
        return f"<{type(value).__name__}>"
