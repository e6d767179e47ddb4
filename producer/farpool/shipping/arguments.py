"""Which argument of which call cannot travel, and what becomes of the calls around it."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from farpool.futures.origin import Origin
from farpool.shipping.shipment import Shipment, Sink
from farpool_common.chunk import Chunk, Outcome, encode_chunk
from farpool_common.codec import Seal, encode
from farpool_common.errors import ArgumentError
from farpool_common.progress import TaskProgress


def sifted(shipment: Shipment, error: Exception) -> Shipment | None:
    """The same task without the calls that cannot travel; those fail.  None when no call is left.

    `error` is why the whole could not be encoded; it is what all calls get if none is found guilty.
    """
    chunk = shipment.chunk
    assert chunk is not None
    good = []
    for index in range(len(chunk)):
        refusal = refusal_of(shipment.route.function, chunk, index, shipment.route.seal)
        if refusal is None:
            good.append(index)
        else:
            shipment.sink.refuse(index, refusal)
    if len(good) == len(chunk):
        shipment.sink.fail(_cannot_travel("the arguments", error))
        good = []
    if not good:
        return None
    return Shipment(shipment.route, _subset(chunk, good), Subset(shipment.sink, good), shipment.source, shipment.id)


def refusal_of(
    function: Callable[..., Any], chunk: Chunk, index: int, seal: Seal | None = None
) -> ArgumentError | None:
    """Why this call cannot travel, by its first argument that cannot."""
    kwargs = chunk.kwargs.get(index, {})
    for label, value in _labelled(function, chunk.args(index), kwargs):
        try:
            encode(value, takes_refs=True, seal=seal)
        except Exception as error:  # whatever a value's own methods do
            return _cannot_travel(f"{label}: {_type_name(value)})", error)
    try:
        encode_chunk(_subset(chunk, [index]), seal)
    except Exception as error:
        return _cannot_travel("the arguments", error)
    return None


def _labelled(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    names = _parameter_names(function)
    for position, value in enumerate(args):
        name = names[position] if position < len(names) else "*"
        yield f"argument {position + 1} ({name}", value
    for name, value in kwargs.items():
        yield f"keyword argument ({name}", value


def _parameter_names(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):  # many functions written in C have none
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


def _type_name(value: Any) -> str:
    found = type(value)
    return found.__qualname__ if found.__module__ == "builtins" else f"{found.__module__}.{found.__qualname__}"


def _cannot_travel(what: str, error: Exception) -> ArgumentError:
    refusal = ArgumentError(f"{what} cannot travel: {str(error).rstrip('.')}. This call was not sent.")
    refusal.__cause__ = error
    return refusal


def _subset(chunk: Chunk, indexes: Sequence[int]) -> Chunk:
    rows = [chunk.args(index) for index in indexes]
    kwargs = {new: chunk.kwargs[old] for new, old in enumerate(indexes) if old in chunk.kwargs}
    return replace(chunk, rows=rows, columns=None, kwargs=kwargs)


class Subset:
    """The sink of a task of which some calls were left out."""

    def __init__(self, whole: Sink, indexes: Sequence[int]) -> None:
        self._whole, self._indexes = whole, indexes

    def link(self, shipment: Shipment) -> None:
        """The task is about to be sent."""
        self._whole.link(shipment)

    def deliver(self, outcome: Outcome, origin: Origin) -> None:
        """Hand over call by call, each under its index in the whole."""
        for index, value in enumerate(outcome.values, outcome.first):
            failures = {self._indexes[index]: outcome.failures[index]} if index in outcome.failures else {}
            self._whole.deliver(replace(outcome, first=self._indexes[index], values=[value], failures=failures), origin)

    def note(self, call: int, progress: TaskProgress) -> None:
        """A call has said how far it has come."""
        if call < len(self._indexes):
            self._whole.note(self._indexes[call], progress)

    def refuse(self, index: int, error: BaseException) -> None:
        """This call cannot be sent."""
        self._whole.refuse(self._indexes[index], error)

    def fail(self, error: BaseException) -> None:
        """Every call without an outcome fails."""
        self._whole.fail(error)

    def disown(self, error: BaseException) -> None:
        """The same in a forked child."""
        self._whole.disown(error)

    def cancel(self) -> None:
        """Every call without an outcome is cancelled."""
        self._whole.cancel()
