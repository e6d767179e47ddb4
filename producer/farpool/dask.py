"""A scheduler for dask: each task of a graph whose function workers can import is a call of an executor."""

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

from dask._task_spec import GraphNode, Task, TaskRef
from dask.local import batch_execute_tasks, get_async

from farpool.executor import Executor
from farpool.future import Future

_Packed = tuple[Any, tuple[Any, Mapping[Any, Any]], Any, Any, Any, Any]
"""dask's arguments for one task: its key, the task with the values it needs, and four functions."""


def get(dsk: Any, keys: Any, *, executor: Executor, **settings: Any) -> Any:
    """The values of keys of a graph, as dask's own schedulers give them: `compute(scheduler=partial(get, executor=e))`.

    A task's value comes here before it goes to the tasks that need it.  Raises FunctionNotImportableError for a
    task whose function has no name, ArgumentError for a value that cannot travel, and what a task raised.
    """
    under_way: list[Future[Any]] = []
    submit = partial(_submit, executor, under_way)
    try:
        return get_async(submit, executor._max_workers, dsk, keys, chunksize=1, **settings)  # type: ignore[no-untyped-call]
    except BaseException:
        for call in under_way:
            call.cancel()
        raise


def _submit(executor: Executor, under_way: list[Future[Any]], _: Any, packed: Sequence[_Packed]) -> Future[Any]:
    """dask's batch of one task as a future of what `batch_execute_tasks` returns: key, value with worker, failed."""
    (key, (task, values), *_functions), *_others = packed
    done: Future[Any] = Future()
    if not isinstance(task, Task):  # a value, or another name for one
        done.set_result(batch_execute_tasks(list(packed)))  # type: ignore[no-untyped-call]
        return done
    args, kwargs = _arguments(task, values)
    call = executor.submit(task.func, *args, **kwargs)
    under_way.append(call)
    call.add_done_callback(partial(_hand_over, done, key))
    return done


def _arguments(task: Task, values: Mapping[Any, Any]) -> tuple[list[Any], dict[str, Any]]:
    """What a task's function is given, with values in place of keys."""
    return [_value(each, values) for each in task.args], {k: _value(v, values) for k, v in task.kwargs.items()}


def _value(found: Any, values: Mapping[Any, Any]) -> Any:
    if isinstance(found, TaskRef):
        return values[found.key]
    return found({key: values[key] for key in found.dependencies}) if isinstance(found, GraphNode) else found


def _hand_over(done: Future[Any], key: Any, call: Any) -> None:
    error = call.exception() if not call.cancelled() else CancelledError()
    if error is None:
        done.set_result([(key, (call.result(), None), False)])
    else:
        done.set_exception(error)
