"""A scheduler for dask whose intermediate results stay with the workers: `x.compute(scheduler=farpool.dask.get)`.

dask's own loop decides what runs next and what is not needed any more.  Each task is a call of an executor; its result
is stored where workers find it, and what comes here is a reference.  When dask lets go of a key, the reference goes,
and with it what is stored.
"""

import operator
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from traceback import clear_frames
from typing import Any

from dask._task_spec import GraphNode, NestedContainer, Task, TaskRef, convert_legacy_graph, cull, fuse_linear_task_spec
from dask.core import flatten
from dask.local import batch_execute_tasks, get_async
from dask.utils import key_split

from farpool.bridges.known_arrays import KnownArrays
from farpool.executor import Executor
from farpool.futures.future import Future
from farpool.maps.sharing import SHARED_BYTES
from farpool_common.by_value import Code
from farpool_common.codec import Ref
from farpool_common.errors import FunctionNotImportableError

TASKS_PER_SLOT = 2
"""Tasks on their way: one runs, the next one waits beside it."""

Values = Mapping[Any, Any]


def get(dsk: Any, keys: Any, *, executor: Executor | None = None, optimize_graph: bool = True, **settings: Any) -> Any:
    """The values of keys of a graph, as dask's own schedulers give them.

    Without an `executor` one is opened for this graph, at the server that `Executor()` finds.  With a key that
    producers and workers share, any graph runs; without one, graphs of functions that workers import by name.
    Raises what a task raised, with a note that names its key; ObjectExpiredError where an intermediate result was lost
    from the server; FunctionNotImportableError and ArgumentError for what cannot travel.
    """
    with Executor() if executor is None else nullcontext(executor) as found:
        return _Run(found).get(dsk, keys, settings, fuses=optimize_graph)


class _Run:
    """One graph on one executor."""

    def __init__(self, executor: Executor) -> None:
        self._executor, self._seal = executor, executor._seal()
        self._keeping = executor.options(returns="reference")
        # What the graph itself holds is stored once, however many tasks are given it.
        self._known = KnownArrays(partial(executor._keeper().put, waits=True), SHARED_BYTES, self._seal)
        self._under_way: set[Future[Any]] = set()
        self._wanted: set[Any] = set()

    def get(self, dsk: Any, keys: Any, settings: dict[str, Any], *, fuses: bool) -> Any:
        """See `farpool.dask.get`."""
        wanted = list(flatten(keys)) if isinstance(keys, list) else [keys]  # type: ignore[no-untyped-call]
        graph = self._graph(dsk, wanted, fuses=fuses)
        inner = {dependency for node in graph.values() for dependency in node.dependencies}
        self._wanted = set(wanted) - inner  # others are given to tasks, too: they stay there until the end
        settings = {name: value for name, value in settings.items() if name not in ("num_workers", "chunksize")}
        ahead = TASKS_PER_SLOT * self._executor._max_workers
        try:
            found = get_async(self._submit, ahead, graph, keys, chunksize=1, **settings)  # type: ignore[no-untyped-call]
            return self._values(found, keys)
        except BaseException as error:
            for call in list(self._under_way):
                call.cancel()
            clear_frames(error.__traceback__)  # else what was stored would stay for as long as anybody has the error
            raise

    def _graph(self, dsk: Any, wanted: list[Any], *, fuses: bool) -> dict[Any, GraphNode]:
        if not isinstance(dsk, Mapping):
            dsk = dsk.__dask_graph__()
        graph: dict[Any, GraphNode] = cull(convert_legacy_graph(dict(dsk)), wanted)
        if fuses and self._seal is not None:  # fused tasks have no name of their own
            graph = fuse_linear_task_spec(graph, wanted)  # type: ignore[no-untyped-call]
        return graph

    def _submit(self, _: Any, packed: Any) -> Future[Any]:
        """dask's batch of one task as a future of what dask expects of it: key, value with worker, failed."""
        ((key, (task, values), *_functions),) = packed
        done: Future[Any] = Future()
        if not isinstance(task, Task) or (self._seal is None and _is_container(task)):  # or another name for a value
            done.set_result(batch_execute_tasks(list(packed)))  # type: ignore[no-untyped-call]
            return done
        call = self._called(key, task, values)
        self._under_way.add(call)
        call.add_done_callback(partial(self._hand_over, done, key))
        return done

    def _called(self, key: Any, task: Task, values: Values) -> Future[Any]:
        submitter = self._executor if key in self._wanted else self._keeping
        if self._seal is None:
            args = [_value(found, values) for found in task.args]
            return submitter.submit(task.func, *args, **_keywords(task, values))
        way = self._executor._way_of(operator.call)
        assert isinstance(way, Code)  # there is a key
        # By the word in its key, so that tasks of one sort are known by their run time, and in tools.
        way = replace(way, label=f"dask:{key_split(key)}")
        given = self._known.stored((task, dict(values)))
        return submitter._submit_by(submitter._bound(), way, operator.call, given, {})

    def _values(self, found: Any, keys: Any) -> Any:
        """What was found for some keys, brought here where it stayed with the workers."""
        if isinstance(keys, list):
            return tuple(self._values(*pair) for pair in zip(found, keys, strict=True))
        if self._seal is None:
            return _without_refs(found)
        return found.get() if isinstance(found, Ref) else found

    def _hand_over(self, done: Future[Any], key: Any, call: Any) -> None:
        self._under_way.discard(call)
        error = call.exception() if not call.cancelled() else CancelledError()
        if error is None:
            done.set_result([(key, (call.result(), None), False)])
            return
        error.add_note(f"This was task {key!r} of a dask graph.")
        done.set_exception(error)


def _keywords(task: Task, values: Values) -> dict[str, Any]:
    return {name: _value(found, values) for name, found in task.kwargs.items()}


def _value(found: Any, values: Values) -> Any:
    """An argument, with values and references in place of keys."""
    if isinstance(found, TaskRef):
        return values[found.key]
    if not isinstance(found, GraphNode):
        return found
    if isinstance(found, Task) and not _is_container(found):
        raise FunctionNotImportableError(
            f"{found} is a task within a task. To run such graphs (arrays, bags, data frames), share a key with the "
            "workers: `farpool key --new`. Nothing was sent."
        )
    return found({key: values[key] for key in found.dependencies})


def _is_container(task: Task) -> bool:
    """Whether nothing happens in a task but that lists, tuples, sets and dicts are put together."""
    return isinstance(task, NestedContainer) and all(
        _is_container(part) for part in task.args if isinstance(part, Task)
    )


def _without_refs(found: Any) -> Any:
    """A result that was put together here, with values in place of references."""
    if isinstance(found, Ref):
        return found.get()
    if type(found) in (list, tuple, set):
        return type(found)(map(_without_refs, found))
    if type(found) is dict:
        return {key: _without_refs(value) for key, value in found.items()}
    return found
