"""Every error farpool raises: one tree, facts as attributes, and a next step in each message.

`FarpoolError` is the base.  Where the standard library has the right class, ours derives from it
too, so `except TimeoutError` and `except ConnectionError` keep working.
"""

import queue
from concurrent.futures import BrokenExecutor


class FarpoolError(Exception):
    """Base of all errors that farpool raises itself."""


# --- values that cannot travel -----------------------------------------------------------------


class EncodeError(FarpoolError, TypeError):
    """A value cannot be written in farpool's wire format.

    `path` says where in the value (`""` for the value itself, `[3]['rows']` inside it).
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.reason, self.path = message, path


class DecodeError(FarpoolError, ValueError):
    """Bytes from the wire are not a value that farpool accepts (damaged, hostile, or too large)."""


class ArgumentError(FarpoolError, TypeError):
    """An argument of a call cannot travel to a worker.  Nothing was sent."""


class ResultError(FarpoolError, TypeError):
    """A task ran, and what it returned cannot travel back."""


class TooLargeError(FarpoolError, ValueError):
    """Arguments or a result exceed the size limit."""

    def __init__(self, what: str, size: int, limit: int, setting: str) -> None:
        super().__init__(
            f"{what} takes {size:,} bytes; the limit is {limit:,}. "
            f"Pass a reference (a path, a URL) instead, or raise {setting}."
        )
        self.size, self.limit, self.setting = size, limit, setting


class QueueFullError(FarpoolError, queue.Full):
    """A queue holds as many tasks as its producer allows.  Nothing was sent."""

    def __init__(self, queue: str, size: int, limit: int) -> None:
        super().__init__(
            f"queue {queue} holds {size:,} tasks; the limit is {limit:,}. Try again when workers have taken some, "
            f'raise max_queued, or let submits wait (when_full="wait").'
        )
        self.queue, self.size, self.limit = queue, size, limit


# --- functions ---------------------------------------------------------------------------------


class FunctionNotImportableError(FarpoolError, TypeError):
    """A function has no name under which a worker could import it.  Nothing was sent."""


class FunctionNotAllowedError(FarpoolError, PermissionError):
    """The worker was not started with permission to run this function."""


class CodeNotTrustedError(FarpoolError, PermissionError):
    """A function came by value, and the worker has no key or the signature is not right.  Nothing was unpickled."""


class PythonVersionError(FarpoolError):
    """A function came by value from another version of Python, whose code does not run here."""

    def __init__(self, function: str, theirs: str, ours: str) -> None:
        super().__init__(
            f"{function} travels by value from Python {theirs}, and this worker runs Python {ours}: use the same "
            "version on both sides, or move the function to a module that workers import."
        )
        self.function, self.theirs, self.ours = function, theirs, ours


class FormatNotAcceptedError(FarpoolError, PermissionError):
    """The worker was not started with permission to read this format."""


class FunctionNotFoundError(FarpoolError, ImportError):
    """The worker cannot import the module, or the module has no such function."""


class InitializerError(FarpoolError, BrokenExecutor):
    """An executor's initializer failed in a worker process, so that executor runs no call any more.

    What the initializer raised is in the remote traceback, the `__cause__`.  Others on the same workers are
    untouched.  `owner` says whose initializer it was.
    """

    def __init__(self, message: str, owner: str = "") -> None:
        super().__init__(message)
        self.owner = owner

    def again(self) -> "InitializerError":
        """The same for another call: a raised exception keeps where it was raised."""
        error = type(self)(str(self), self.owner)
        error.__cause__, error.__notes__ = self.__cause__, list(getattr(self, "__notes__", ()))
        return error


# --- tasks -------------------------------------------------------------------------------------


class TaskTimeoutError(FarpoolError, TimeoutError):
    """A task ran longer than its limit and was stopped."""


class ForkedError(FarpoolError, RuntimeError):
    """A call was submitted by the process of which this one is a fork, and its result arrives there only."""

    def __init__(self, parent: int) -> None:
        super().__init__(
            f"this call was submitted by process {parent}, of which this process is a fork: its result arrives there "
            "only. Submit the call here, or wait for its result before you fork."
        )
        self.parent = parent


class WorkerLostError(FarpoolError):
    """The process or host that ran a task died, and the task may not be tried again.

    Only this task's future fails; others are untouched.
    """


class TaskLostError(FarpoolError):
    """The server no longer knows a task that was accepted (flushed, evicted, restarted without AOF)."""


class ResultExpiredError(TaskLostError):
    """A result was kept for its time to live and is gone."""


class ObjectExpiredError(FarpoolError, LookupError):
    """An object that was stored with `put`, or for many calls of a map, is no longer on the server."""

    def __init__(self, object_id: str) -> None:
        super().__init__(
            f"stored object {object_id[:8]} is gone from the server: the producer that had put it there ended or was "
            f"cut off for too long, or the server lost its data. Put the value again and repeat the call."
        )
        self.object_id = object_id


class MemoryNotSharedError(FarpoolError):
    """The large arguments of a task lie in the memory of an embedded pool's host, and its worker cannot reach them."""

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message
            or "large arguments lie in memory that the worker does not share with the producer: it runs on another "
            "host, in another container or as another user. Let only workers of the pool itself serve its queues, or "
            "use a server that was started by itself."
        )


class NotPlainError(FarpoolError):
    """A job needs RQ's own code, and the worker was started without it."""

    def __init__(self) -> None:
        super().__init__(
            "the job has a callback, a repeat, a webhook, a rate limit or keeps no result: RQ's own code must run "
            "it, and this worker was started with --no-rq-jobs. Start one without that option, and requeue the job."
        )


class MalformedTaskError(FarpoolError, ValueError):
    """A task record in Redis has fields that farpool cannot read; the record is in quarantine."""


class RemoteError(FarpoolError):
    """A task failed with an exception whose class is unknown here.

    `type_name` is the class's full name, `message` its text, `traceback` the remote traceback.
    """

    def __init__(self, type_name: str, message: str, traceback: str = "") -> None:
        super().__init__(f"{type_name}: {message}" if message else type_name)
        self.type_name, self.message, self.traceback = type_name, message, traceback


class RemoteTraceback(FarpoolError):
    """The cause of every exception that came from a worker: its text is the remote traceback."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


# --- the server --------------------------------------------------------------------------------


class ServerError(FarpoolError):
    """Something about the Redis or Valkey server."""


class ServerUnreachableError(ServerError, ConnectionError):
    """No server answers at the address."""


class ServiceUnknownError(ServerUnreachableError):
    """The sentinels answer, and none of them knows the service that the URL names."""


class ServerRefusedError(ServerError, PermissionError):
    """The server wants another password or user, or denies a command we need."""


class LoginRefusedError(ServerRefusedError):
    """The server wants another password or user.  Who is running already waits: it may be about to be changed back."""


class ServerUnsuitableError(ServerError):
    """The server answers, and tasks would not be safe on it (too old, or it evicts keys)."""


class ServerBusyError(ServerError):
    """The server is there but takes no writes now: loading, out of memory, read only, disk full."""


class SpoiledKeyError(ServerError):
    """A key of ours holds something of another type: somebody else wrote there."""


# --- shared state ------------------------------------------------------------------------------


class SharedStateGoneError(FarpoolError, LookupError):
    """A handle's object is not on the server: its owner has ended, it was not used for too long, or never there."""


class LeaseLostError(FarpoolError, ValueError):
    """A lock is no longer ours: its lease was not renewed in time, and others may have held it since."""


def told(error: FarpoolError) -> str:
    """The text for whoever has just named a server: with the next step, which a log need not repeat."""
    if type(error) is not ServerUnreachableError:
        return str(error)
    return f"{error}. Is a server running there? FARPOOL_URL or --url name another, `farpool up` starts one here."


# --- configuration -----------------------------------------------------------------------------


class SettingsError(FarpoolError, ValueError):
    """An option or environment variable has a value that cannot be used."""
