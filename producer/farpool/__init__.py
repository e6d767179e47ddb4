"""multiprocessing and concurrent.futures across hosts, on the Redis you already have.

This module is the list of what farpool promises.  Names are loaded when they are first used, so that
`import farpool` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import (
        ALL_COMPLETED,
        FIRST_COMPLETED,
        FIRST_EXCEPTION,
        BrokenExecutor,
        CancelledError,
        InvalidStateError,
        as_completed,
        wait,
    )
    from multiprocessing import (
        AuthenticationError,
        BufferTooShort,
        ProcessError,
        current_process,
        freeze_support,
        get_all_start_methods,
        get_logger,
        log_to_stderr,
        parent_process,
    )
    from multiprocessing import (
        TimeoutError as TimeoutError,  # noqa: A004  Pool's own, and no builtin
    )

    from farpool import shared_memory
    from farpool.drop_in import ProcessPoolExecutor, cpu_count
    from farpool.executor import Executor
    from farpool.futures.future import Future
    from farpool.pool import Pool
    from farpool.process import Process
    from farpool.putting import put
    from farpool.results import result
    from farpool.retry import Retry
    from farpool.shared.arrays import Array
    from farpool.shared.barriers import Barrier
    from farpool.shared.conditions import Condition
    from farpool.shared.events import Event
    from farpool.shared.locks import Lock, RLock
    from farpool.shared.manager import Manager
    from farpool.shared.pipes import Pipe
    from farpool.shared.queues import JoinableQueue, Queue, SimpleQueue
    from farpool.shared.semaphores import BoundedSemaphore, Semaphore
    from farpool.shared.values import Value
    from farpool.tasks.task import Task, task
    from farpool.toolbox import RawArray, RawValue, active_children, get_context, get_start_method, set_start_method
    from farpool_common.codec import Ref, Serializer
    from farpool_common.errors import (
        ArgumentError,
        CodeNotTrustedError,
        DecodeError,
        EncodeError,
        FarpoolError,
        ForkedError,
        FunctionNotAllowedError,
        FunctionNotFoundError,
        FunctionNotImportableError,
        InitializerError,
        LeaseLostError,
        MalformedTaskError,
        MemoryNotSharedError,
        ObjectExpiredError,
        PythonVersionError,
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
        SharedStateGoneError,
        TaskLostError,
        TaskTimeoutError,
        TooLargeError,
        WorkerLostError,
    )
    from farpool_common.progress import TaskProgress, progress, track

__version__ = "0.1.0"

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "ArgumentError",
    "Array",
    "AuthenticationError",
    "Barrier",
    "BoundedSemaphore",
    "BrokenExecutor",
    "BufferTooShort",
    "CancelledError",
    "CodeNotTrustedError",
    "Condition",
    "DecodeError",
    "EncodeError",
    "Event",
    "Executor",
    "FarpoolError",
    "ForkedError",
    "FunctionNotAllowedError",
    "FunctionNotFoundError",
    "FunctionNotImportableError",
    "Future",
    "InitializerError",
    "InvalidStateError",
    "JoinableQueue",
    "LeaseLostError",
    "Lock",
    "MalformedTaskError",
    "Manager",
    "MemoryNotSharedError",
    "ObjectExpiredError",
    "Pipe",
    "Pool",
    "Process",
    "ProcessError",
    "ProcessPoolExecutor",
    "PythonVersionError",
    "Queue",
    "QueueFullError",
    "RLock",
    "RawArray",
    "RawValue",
    "Ref",
    "RemoteError",
    "RemoteTraceback",
    "ResultError",
    "ResultExpiredError",
    "Retry",
    "Semaphore",
    "Serializer",
    "ServerBusyError",
    "ServerError",
    "ServerRefusedError",
    "ServerUnreachableError",
    "ServerUnsuitableError",
    "ServiceUnknownError",
    "SettingsError",
    "SharedStateGoneError",
    "SimpleQueue",
    "Task",
    "TaskLostError",
    "TaskProgress",
    "TaskTimeoutError",
    "TooLargeError",
    "Value",
    "WorkerLostError",
    "active_children",
    "as_completed",
    "cpu_count",
    "current_process",
    "freeze_support",
    "get_all_start_methods",
    "get_context",
    "get_logger",
    "get_start_method",
    "log_to_stderr",
    "parent_process",
    "progress",
    "put",
    "result",
    "set_start_method",
    "shared_memory",
    "task",
    "track",
    "wait",
]

_HOMES = {
    "ALL_COMPLETED": "concurrent.futures",
    "Array": "farpool.shared.arrays",
    "AuthenticationError": "multiprocessing",
    "Barrier": "farpool.shared.barriers",
    "BoundedSemaphore": "farpool.shared.semaphores",
    "BrokenExecutor": "concurrent.futures",
    "BufferTooShort": "multiprocessing",
    "CancelledError": "concurrent.futures",
    "Condition": "farpool.shared.conditions",
    "Event": "farpool.shared.events",
    "Executor": "farpool.executor",
    "FIRST_COMPLETED": "concurrent.futures",
    "FIRST_EXCEPTION": "concurrent.futures",
    "Future": "farpool.futures.future",
    "InvalidStateError": "concurrent.futures",
    "JoinableQueue": "farpool.shared.queues",
    "Lock": "farpool.shared.locks",
    "Manager": "farpool.shared.manager",
    "Pipe": "farpool.shared.pipes",
    "Pool": "farpool.pool",
    "Process": "farpool.process",
    "ProcessError": "multiprocessing",
    "ProcessPoolExecutor": "farpool.drop_in",
    "Queue": "farpool.shared.queues",
    "RLock": "farpool.shared.locks",
    "RawArray": "farpool.toolbox",
    "RawValue": "farpool.toolbox",
    "Ref": "farpool_common.codec",
    "Retry": "farpool.retry",
    "Semaphore": "farpool.shared.semaphores",
    "Serializer": "farpool_common.codec",
    "SimpleQueue": "farpool.shared.queues",
    "Task": "farpool.tasks.task",
    "TaskProgress": "farpool_common.progress",
    "TimeoutError": "multiprocessing",  # in no star import, for it is not the builtin one
    "Value": "farpool.shared.values",
    "active_children": "farpool.toolbox",
    "as_completed": "concurrent.futures",
    "cpu_count": "farpool.drop_in",
    "current_process": "multiprocessing",
    "freeze_support": "multiprocessing",
    "get_all_start_methods": "multiprocessing",
    "get_context": "farpool.toolbox",
    "get_logger": "multiprocessing",
    "get_start_method": "farpool.toolbox",
    "log_to_stderr": "multiprocessing",
    "parent_process": "multiprocessing",
    "progress": "farpool_common.progress",
    "put": "farpool.putting",
    "result": "farpool.results",
    "set_start_method": "farpool.toolbox",
    "task": "farpool.tasks.task",
    "track": "farpool_common.progress",
    "wait": "concurrent.futures",
}


def __getattr__(name: str) -> Any:
    if name not in __all__ and name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "shared_memory":
        return import_module("farpool.shared_memory")
    value = getattr(import_module(_HOMES.get(name, "farpool_common.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
