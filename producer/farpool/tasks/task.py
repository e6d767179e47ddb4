"""`@task`: a function that can be called here, submitted for a future, or enqueued as a job."""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import update_wrapper
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar, Unpack, overload

from farpool.retry import is_number
from farpool.tasks.job_retries import give_up_unless_named, is_inside, may_be_job
from farpool.tasks.options import TaskChanges, TaskOptions
from farpool_common.errors import SettingsError
from farpool_common.names import function_name

if TYPE_CHECKING:  # loaded when something is sent: workers import this module with the user's
    from rq import Queue
    from rq.job import Job

    from farpool.futures.future import Future
    from farpool.maps.bars import Wanted
    from farpool.maps.feeder import BufferSize
    from farpool.maps.mapping import ChunkSize
    from farpool.submitter import Submitter

P = ParamSpec("P")
R = TypeVar("R")

_METHODS = ("self", "cls")
"""First parameters by which a method is told from a function that lives in a class."""


class TaskView(Generic[P, R]):
    """A task under some options: what its calls and jobs are sent by."""

    __wrapped__: Callable[P, R]
    _options: TaskOptions

    def __init__(self, function: Callable[P, R], options: TaskOptions) -> None:
        self.__wrapped__, self._options = function, options
        self._sender: Submitter | None = None  # made with the first call: the environment is read then

    def options(self, **changes: Unpack[TaskChanges]) -> "TaskView[P, R]":
        """The same task under other options: those of `@task`, and RQ's for jobs (description, depends_on, job_id,
        at_front, meta, ttl, failure_ttl, on_success, on_failure, on_stopped, repeat, rate_limit, webhooks, pipeline).

        Raises SettingsError.
        """
        return TaskView(self.__wrapped__, self._options.changed(changes))

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """A future for the call, as `Executor.submit`; all tasks of this program share an executor per server."""
        return self._submitter().submit(self.__wrapped__, *args, **kwargs)

    def map(
        self,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: "ChunkSize" = 1,
        buffersize: "BufferSize" = None,
        progress: "Wanted" = False,
    ) -> Iterator[R]:
        """Results over the inputs, as `Executor.map`."""
        return self._submitter().map(
            self.__wrapped__,
            *iterables,
            timeout=timeout,
            chunksize=chunksize,
            buffersize=buffersize,
            progress=progress,
        )

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> "Job":
        """A job for the call, in the queue.  Its result is kept on the server, also when this program has ended.

        With `unique`, the job of the same work that is queued, scheduled or running, if there is one.  Raises
        ArgumentError for what cannot travel, FunctionNotImportableError, and ServerError for an outage.
        """
        return self._put(None, args, kwargs)

    def enqueue_in(self, delay: timedelta | float, /, *args: P.args, **kwargs: P.kwargs) -> "Job":
        """The same, after a while: a timedelta, or seconds.  Some worker must run `--with-scheduler`."""
        if not isinstance(delay, timedelta) and not (is_number(delay) and math.isfinite(delay)):
            raise SettingsError(f"a delay is a timedelta or a number of seconds, not {delay!r}")
        seconds = delay if isinstance(delay, timedelta) else timedelta(seconds=delay)
        return self._put(datetime.now().astimezone() + seconds, args, kwargs)

    def enqueue_at(self, moment: datetime, /, *args: P.args, **kwargs: P.kwargs) -> "Job":
        """The same, at a time; one without a zone is local.  Some worker must run `--with-scheduler`."""
        if not isinstance(moment, datetime):
            raise SettingsError(f"a moment is a datetime, not {moment!r}")
        return self._put(moment, args, kwargs)

    @property
    def job_name(self) -> str:
        """The name under which RQ's workers import the task.  Raises FunctionNotImportableError."""
        return function_name(self.__wrapped__).replace(":", ".")

    @property
    def queue(self) -> "Queue":
        """RQ's queue of this task, with our serializer: for whatever else RQ offers."""
        from farpool.executors import server_for
        from farpool.tasks.jobs import rq_queue

        return rq_queue(server_for(self._options.url), self._options.queue)

    def _submitter(self) -> "Submitter":
        known = self._sender
        if known is None or known.is_shut:
            from farpool.executors import executor_for

            call = self._options.call
            known = self._sender = executor_for(self._options.url).options(
                queue=call.queue, timeout=call.timeout, retries=call.retries, keep=call.keep
            )
        return known

    def _put(self, at: datetime | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "Job":
        name = self.job_name
        from farpool.tasks.jobs import Call, put

        return put(Call(self.__wrapped__, name, args, kwargs), self._options, at)


class Task(TaskView[P, R]):
    """What `@task` makes of a function.  It stands under the function's name, so workers find it there: calling it
    calls the function."""

    stands_for_function: ClassVar[bool] = True
    """Whoever wants the function by its name may call this instead."""

    def __init__(self, function: Callable[P, R], options: TaskOptions) -> None:
        _check(function)
        super().__init__(function, options)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, here and now."""
        if not may_be_job() or is_inside.get():
            return self.__wrapped__(*args, **kwargs)
        token = is_inside.set(True)
        try:
            value: Any = self.__wrapped__(*args, **kwargs)
        except Exception as error:
            give_up_unless_named(self._name, error)
            raise
        finally:
            is_inside.reset(token)
        if isinstance(value, CoroutineType):
            value = self._awaiting(value)
        return value  # type: ignore[no-any-return]

    async def _awaiting(self, coroutine: Any) -> Any:
        try:
            return await coroutine
        except Exception as error:
            give_up_unless_named(self._name, error)
            raise

    @property
    def _name(self) -> str:
        return f"{self.__module__}.{self.__qualname__}"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickled by its name, as a function is; with its function where that travels by value."""
        from farpool_common.by_value import travels_now  # cloudpickle, which nothing else here needs

        if travels_now(self.__module__, self.__qualname__):
            return Task, (self.__wrapped__, self._options)
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<task {self._name}>"

    __name__: str
    __qualname__: str


def _check(function: Any) -> None:
    if isinstance(function, (staticmethod, classmethod)):
        raise SettingsError(f"@task goes below @{type(function).__name__}, next to the function")
    if isinstance(function, TaskView):
        raise SettingsError(f"{function!r} is a task already: change it by options(...)")
    if not callable(function) or isinstance(function, type):
        raise SettingsError(f"a task is made of a function, not of {function!r}")
    if not isinstance(getattr(function, "__qualname__", None), str):
        raise SettingsError(f"a task is made of a function of a module, not of {function!r}")
    if _is_method(function):
        raise SettingsError(
            f"{function.__qualname__} is a method: workers have no object to call it on. Make a function of it, or a "
            "static method (@staticmethod above @task), and pass what it needs."
        )


def _is_method(function: Any) -> bool:
    """Whether this is defined in a class, and its first parameter is the object or the class."""
    code = getattr(function, "__code__", None)
    home = function.__qualname__.rpartition(".")[0]
    is_in_class = home and not home.endswith("<locals>")
    return bool(is_in_class and code is not None and code.co_argcount and code.co_varnames[0] in _METHODS)


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(**options: Unpack[TaskChanges]) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(function: Any = None, /, **options: Any) -> Any:
    """Make a task of a function: `@task`, or `@task(queue="mail", retries=3)`.

    The function stays callable.  `submit` and `map` give futures; `enqueue`, `enqueue_in` and `enqueue_at` give RQ's
    jobs, which any RQ worker runs.  Options:

    * `queue`, and `timeout` in seconds (jobs have RQ's 180 without one);
    * `retries`: how often a call that raised runs again, or a `farpool.Retry`;
    * `result_ttl`: seconds that the result of a job is kept (RQ's 500 without), -1 for ever;
    * `keep`: seconds that the result of a future stays on the server, for `farpool.result(id)`;
    * `unique`, for jobs: True for one at a time with the same arguments, a name for one at a time, or a function of
      the arguments that gives what must not be the same;
    * `url`: the server, by default that of the environment;
    * whatever else RQ's `enqueue` takes, for jobs.

    Raises SettingsError.
    """
    chosen = TaskOptions().changed(options)
    if function is None:
        return lambda decorated: Task(decorated, chosen)
    return Task(function, chosen)
