"""multiprocessing and concurrent.futures across hosts, on the Redis you already have.

This module is the list of what farpool promises.  Names are loaded when they are first used, so that
`import farpool` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import as_completed, wait

    from farpool.executor import Executor
    from farpool.future import Future
    from farpool.putting import put
    from farpool_common.codec import Ref, Serializer
    from farpool_common.errors import (
        ArgumentError,
        DecodeError,
        EncodeError,
        FarpoolError,
        FunctionNotAllowedError,
        FunctionNotFoundError,
        FunctionNotImportableError,
        MalformedTaskError,
        MemoryNotSharedError,
        ObjectExpiredError,
        QueueFullError,
        RemoteError,
        RemoteTraceback,
        ResultError,
        ResultExpiredError,
        ServerBusyError,
        ServerError,
        ServerRefusedError,
        ServerUnreachableError,
        ServerUnsuitableError,
        ServiceUnknownError,
        SettingsError,
        TaskLostError,
        TaskTimeoutError,
        TooLargeError,
        WorkerLostError,
    )

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "DecodeError",
    "EncodeError",
    "Executor",
    "FarpoolError",
    "FunctionNotAllowedError",
    "FunctionNotFoundError",
    "FunctionNotImportableError",
    "Future",
    "MalformedTaskError",
    "MemoryNotSharedError",
    "ObjectExpiredError",
    "QueueFullError",
    "Ref",
    "RemoteError",
    "RemoteTraceback",
    "ResultError",
    "ResultExpiredError",
    "Serializer",
    "ServerBusyError",
    "ServerError",
    "ServerRefusedError",
    "ServerUnreachableError",
    "ServerUnsuitableError",
    "ServiceUnknownError",
    "SettingsError",
    "TaskLostError",
    "TaskTimeoutError",
    "TooLargeError",
    "WorkerLostError",
    "as_completed",
    "put",
    "wait",
]

_HOMES = {
    "Executor": "farpool.executor",
    "Future": "farpool.future",
    "Ref": "farpool_common.codec",
    "Serializer": "farpool_common.codec",
    "as_completed": "concurrent.futures",
    "put": "farpool.putting",
    "wait": "concurrent.futures",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "farpool_common.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
