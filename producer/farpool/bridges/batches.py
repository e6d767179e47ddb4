"""joblib's batches on an executor: the calls of each function travel together, and a batch is one future."""

import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from farpool.shipping.bundle import Bundle
from farpool.submitter import Submitter
from farpool_common.by_value import Code
from farpool_common.names import unwrapped

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


@dataclass
class Group:
    """Calls of one function, and their places in the batch."""

    function: Callable[..., Any]
    way: str | Code
    places: list[int] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    keywords: list[dict[str, Any]] = field(default_factory=list)


def grouped(
    calls: Iterable[Call], way_of: Callable[[Callable[..., Any]], str | Code], stored: Callable[[Any], Any]
) -> list[Group]:
    """The calls by their functions, partials taken apart, their arguments as `stored` gives them.

    Raises FunctionNotImportableError.  Functions that travel by value are the same if their pickles are: scikit-learn
    wraps each call anew.
    """
    by_function: dict[int, Group] = {}
    by_way: dict[str | bytes, Group] = {}
    for place, (fn, args, kwargs) in enumerate(calls):
        function = fn
        if isinstance(fn, partial):
            function, args, kwargs = unwrapped(fn, args, kwargs)
        group = by_function.get(id(function))
        if group is None:
            way = way_of(function)
            group = by_way.setdefault(way.body if isinstance(way, Code) else way, Group(function, way))
            by_function[id(function)] = group
        group.places.append(place)
        group.rows.append(stored(args))
        group.keywords.append(stored(kwargs) if kwargs else kwargs)
    return list(by_way.values())


class Batch(concurrent.futures.Future[Any]):
    """A list of results, or the first failure, upon which the other calls are cancelled."""

    def __init__(self, calls: int, forget: "Callable[[Batch], None]") -> None:
        super().__init__()
        self._forget = forget
        self._guard = threading.Lock()
        self._results: list[Any] = [None] * calls
        self._bundles: list[Bundle] = []
        self._missing, self._is_ended = calls, False

    def send(self, executor: Submitter, groups: Sequence[Group]) -> None:
        """Have the calls run.  Raises RuntimeError after the executor's shutdown."""
        for group in groups:
            calls = group.rows, group.keywords
            bundle = executor._bundle(group.function, group.way, calls, partial(self._one_is_over, group.places))
            with self._guard:
                self._bundles.append(bundle)
                is_late = self._is_ended
            if is_late:  # given up by another thread, or failed by the first of them
                self._cancel_calls()
                return

    def fail(self, error: BaseException) -> None:
        """Be done with this error, unless done already; the calls that are left are cancelled."""
        if self._ends():
            self.set_exception(error)
            self._cancel_calls()

    def give_up(self) -> None:
        """Nobody wants the results."""
        self.fail(concurrent.futures.CancelledError())

    def _one_is_over(self, places: Sequence[int], bundle: Bundle) -> None:
        if bundle.error is not None:
            self.fail(bundle.error)
            return
        values = bundle.values()
        with self._guard:
            if len(places) == len(self._results):
                self._results = values
            else:
                for place, value in zip(places, values, strict=True):
                    self._results[place] = value
            self._missing -= len(places)
            is_last = not self._missing
        if is_last and self._ends():
            results, self._results, self._bundles = self._results, [], []
            self.set_result(results)

    def _cancel_calls(self) -> None:
        with self._guard:
            bundles, self._bundles = self._bundles, []
        for bundle in bundles:
            bundle.cancel()

    def _ends(self) -> bool:
        """True for the one who may set the outcome."""
        with self._guard:
            is_first, self._is_ended = not self._is_ended, True
        if is_first:
            forget, self._forget = self._forget, _nobody  # without a circle, nobody has to wait for a collection
            forget(self)
        return is_first


def _nobody(_: Batch) -> None:
    """Who is told once it was told."""
