"""Functions that travel with their code: pickled by cloudpickle, and unpickled by whoever has the key.

    function -> Code -> its body in a task with a seal -> Warrant.check -> Loader -> function

What they refer to travels with them.  Arguments and results go through the codec, see `sealing.py`.
"""

import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import cloudpickle
import msgpack

from farpool_common.errors import CodeNotTrustedError, DecodeError, FunctionNotImportableError, PythonVersionError
from farpool_common.signing import KEY, SigningKey

PURPOSE = "farpool task"
"""What a seal is for."""

MOST_LOADED = 256
"""Functions that a process keeps, those used last (guess)."""

_VERSION = 1
_registering = threading.RLock()  # what is pickled may pickle something itself

_is_under_way: ContextVar[bool] = ContextVar("_is_under_way", default=False)


@dataclass(frozen=True)
class Code:
    """A function as it was when it was pickled.  `label` is what messages call it.  `is_named`: its pickle is but the
    name of an installed function, the same each time."""

    label: str
    body: bytes = field(repr=False)
    key: SigningKey = field(repr=False)
    is_named: bool = False


@dataclass(frozen=True)
class Warrant:
    """Which task a function came in, and the seal that says so: of the whole task as it was sent, but for what travels
    apart from its envelope (large arrays, stored objects)."""

    task_id: str
    queue: str
    seal: bytes = field(default=b"", repr=False)

    def check(self, key: SigningKey | None, envelope: bytes | memoryview) -> None:
        """Raise CodeNotTrustedError unless the producer sent this envelope as this task to this queue."""
        if key is None:
            raise CodeNotTrustedError(
                f"this worker has no key, so it runs no function that travels by value: start it with the {KEY} "
                "of the producer."
            )
        key.check(PURPOSE, self.seal, self.task_id.encode(), self.queue.encode(), envelope)


def sealed(key: SigningKey, task_id: str, queue: str, envelope: bytes | memoryview) -> bytes:
    """The seal of a task."""
    return key.seal(PURPOSE, task_id.encode(), queue.encode(), envelope)


def code_of(function: Callable[..., Any], key: SigningKey, ship: Sequence[ModuleType] = ()) -> Code:
    """A function with its code, and that of the modules to ship.  Raises FunctionNotImportableError."""
    label = label_of(function)
    try:
        with shipping(ship):
            pickled: bytes = cloudpickle.dumps(function)
    except Exception as error:
        raise FunctionNotImportableError(
            f"{label} has no name under which workers could import it, and cannot travel by value: "
            f"{type(error).__name__}: {error}. Pass what it holds as arguments. Nothing was sent."
        ) from error
    return Code(label, body_of(label, pickled), key)


def travels_now(home: str, qualname: str) -> bool:
    """Whether this is asked while a function is pickled with its code, and what `home` defines goes along."""
    if not _is_under_way.get():
        return False
    return home == "__main__" or "<locals>" in qualname or home in cloudpickle.list_registry_pickle_by_value()


def label_of(function: Callable[..., Any]) -> str:
    """Module and name of a function, importable or not."""
    module = getattr(function, "__module__", None) or type(function).__module__
    return f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"


class Loader:
    """Gives back functions, each unpickled once while it is in use."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[bytes, tuple[str, Callable[..., Any]]] = OrderedDict()

    def load(self, body: bytes) -> tuple[str, Callable[..., Any]]:
        """Label and function.  Call it with what came under a good seal only.

        Raises PythonVersionError and DecodeError.
        """
        digest = hashlib.sha256(body).digest()
        found = self._loaded.pop(digest, None) or _loaded(body)
        self._loaded[digest] = found
        if len(self._loaded) > MOST_LOADED:
            self._loaded.popitem(last=False)
        return found


@contextmanager
def shipping(ship: Sequence[ModuleType]) -> Iterator[None]:
    """Have cloudpickle send these modules' code.  Its list of them is one for the process; they are on it meanwhile."""
    with _registering:
        known, token = cloudpickle.list_registry_pickle_by_value(), _is_under_way.set(True)
        ours = [module for module in ship if module.__name__ not in known]
        try:
            for module in ours:
                cloudpickle.register_pickle_by_value(module)
            yield
        finally:
            _is_under_way.reset(token)
            for module in ours:
                cloudpickle.unregister_pickle_by_value(module)


def body_of(label: str, pickled: bytes) -> bytes:
    """What is signed: a pickle, which Python wrote it, and what messages call it."""
    body: bytes = msgpack.packb([_VERSION, _python(), label, pickled])
    return body


def read_body(body: bytes) -> tuple[str, bytes]:
    """Label and pickle.  Raises DecodeError and PythonVersionError."""
    match msgpack.unpackb(body):
        case [1, str(python), str(label), bytes(pickled)]:
            pass
        case _:
            raise DecodeError("what travels by value has another form here: is this worker older?")
    if python != _python():
        raise PythonVersionError(label, python, _python())
    return label, pickled


def _loaded(body: bytes) -> tuple[str, Callable[..., Any]]:
    label, pickled = read_body(body)
    try:
        function: Callable[..., Any] = cloudpickle.loads(pickled)
    except Exception as error:
        raise DecodeError(
            f"{label} cannot be put together here: {type(error).__name__}: {error}. Install on every host what it "
            "imports, or ship its module: Executor(ship=[module])."
        ) from error
    return label, function


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
