"""Names of `multiprocessing` that scripts use besides its tools: contexts and start methods, which are the workers' to
choose here, and what is known of processes."""

import multiprocessing
import sys
from types import ModuleType
from typing import Any

from farpool.process import Process, started
from farpool.shared.arrays import Array
from farpool.shared.values import Value

_method: list[str] = []  # the one that the script has set, if any


def get_context(method: str | None = None) -> ModuleType:
    """This package, which has all that a context has.  How workers start their processes does not depend on it.

    Raises ValueError for a method that multiprocessing does not know.
    """
    _check_method(method)
    return sys.modules["farpool"]


def set_start_method(method: str | None, force: bool = False) -> None:
    """Remember the method; workers start their processes as they do.  Raises as multiprocessing's."""
    if _method and not force:
        raise RuntimeError("context has already been set")
    _check_method(method)
    _method[:] = [] if method is None else [method]


def get_start_method(allow_none: bool = False) -> str | None:
    """The method that was set; else, as a worker has it, "forkserver"."""
    return _method[0] if _method else None if allow_none else "forkserver"


def active_children() -> list[Process]:
    """Processes that this program has started and that have not ended."""
    return [process for process in list(started) if process.is_alive()]


def RawValue(typecode_or_type: Any, *args: Any) -> Value:  # noqa: N802
    """A `Value` without a lock."""
    return Value(typecode_or_type, *args, lock=False)


def RawArray(typecode_or_type: Any, size_or_initializer: Any) -> Array:  # noqa: N802
    """An `Array` without a lock."""
    return Array(typecode_or_type, size_or_initializer, lock=False)


def _check_method(method: str | None) -> None:
    if method is not None and method not in multiprocessing.get_all_start_methods():
        raise ValueError(f"cannot find context for {method!r}")
