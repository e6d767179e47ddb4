"""The unit on the wire: one function, many calls; and the outcomes of some of them.

A chunk is one RQ job with one lease.  Each call in it keeps its own result and error.  The RQ function
of the job is `farpool_common.runner.run_chunk`, so a stock RQ worker can run a chunk as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from farpool_common.codec import (
    Encoded,
    Repeated,
    Seal,
    decode,
    encode,
    is_column,
    is_packed,
    packed_column,
    unpacked_column,
)
from farpool_common.errors import DecodeError
from farpool_common.failure import Failure
from farpool_common.stored_results import Ownership

VERSION = 1
RUNNER = "farpool_common.runner.run_chunk"
"""The name under which RQ knows the function that runs a chunk."""

LONG_ENVELOPE = 1024 * 1024
"""A longer envelope travels as the first of its buffers, in pieces, and stands empty in the record."""

MAX_CALLS = 100_000
"""Calls in one chunk; a bound for what one hostile record can make a worker loop over (guess)."""


MOST_OWNED_SECONDS = 10**9
"""After which results that stay with the workers expire; as long as stored objects may."""

BY_VALUE = "<a function by value>"
"""What stands for the name of a function whose code nobody has looked at yet."""


@dataclass(frozen=True)
class Initializer:
    """A function that each worker process runs once before it runs calls of one executor."""

    owner: str
    function: str
    args: Sequence[Any] = ()
    code: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Chunk:
    """Calls of one function.

    Positional arguments come as `rows` (one sequence per call) or, more compactly, as `columns`
    (one sequence per argument, all equally long; a range or an array may be one).  `kwargs` maps a call's
    index to its keywords.  `limit` is the time limit of each call in seconds.  `together`: nobody awaits
    single results, so those of quick calls need not travel before the last one is there.  `opens`: its producer has
    the key, so results that only a pickle can describe may travel signed.  `ownership`: results stay with the workers,
    and their descriptions travel (`stored_results.py`).

    `code` is the function where it travels by value (`by_value.py`); it takes the place of the name.
    """

    function: str
    rows: Sequence[Sequence[Any]] | None = None
    columns: Sequence[Sequence[Any]] | None = None
    kwargs: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    limit: float | None = None
    initializer: Initializer | None = None
    together: bool = False
    code: bytes = field(default=b"", repr=False)
    opens: bool = False
    ownership: Ownership | None = None

    def __len__(self) -> int:
        if self.rows is not None:
            return len(self.rows)
        return len(self.columns[0]) if self.columns else 0

    def holds_code(self) -> bool:
        """Whether a function of it travels by value."""
        return bool(self.code or (self.initializer is not None and self.initializer.code))

    def args(self, index: int) -> Sequence[Any]:
        """Positional arguments of one call."""
        if self.rows is not None:
            return self.rows[index]
        return [column[index] for column in self.columns or ()]


@dataclass(frozen=True)
class Outcome:
    """What became of the calls `first` to `first + len(values) - 1` of a chunk.

    `values` has one item per call, None where the call failed; `failures` maps the index of a call
    within the chunk to its failure.  `seconds` is their run time, `pid` the process that ran them.
    """

    first: int
    values: Sequence[Any]
    failures: Mapping[int, Failure]
    seconds: float
    pid: int


def encode_chunk(chunk: Chunk, seal: Seal | None = None) -> Encoded:
    """Wire form of a chunk.  Raises EncodeError when an argument cannot travel."""
    start = chunk.initializer
    return _shortened(
        encode(
            [
                VERSION,
                chunk.code or chunk.function,
                chunk.rows,
                None if chunk.columns is None else [packed_column(column) for column in chunk.columns],
                [[index, kwargs] for index, kwargs in chunk.kwargs.items()],
                chunk.limit,
                [start.owner, start.code or start.function, start.args] if start else None,
                chunk.together,
                chunk.opens,
                [chunk.ownership.owner, chunk.ownership.seconds] if chunk.ownership else None,
            ],
            takes_refs=True,
            seal=seal,
        )
    )


def decode_chunk(
    envelope: bytes,
    buffers: Sequence[memoryview] = (),
    *,
    classes: Callable[[str], type] | None = None,
    objects: Callable[[str], Any] | None = None,
    seal: Seal | None = None,
) -> Chunk:
    """The chunk that `encode_chunk` wrote.  Raises DecodeError when it is none, and what `seal` raises."""
    match decode(*_whole(envelope, buffers), classes=classes, objects=objects, seal=seal):
        case [1, (str() | bytes()) as function, rows, columns, list(kwargs), limit, start, *flags]:
            together, opens, ownership = _flags(flags)
            chunk = Chunk(
                _name(function),
                _sequences(rows),
                _columns(columns),
                _keywords(kwargs),
                _seconds(limit),
                _initializer(start),
                together,
                _code(function),
                opens,
                ownership,
            )
        case _:
            raise DecodeError(f"not a chunk of version {VERSION}: is this worker older than the producer?")
    _check_shape(chunk)
    return chunk


def envelope_of(encoded: Encoded) -> bytes | memoryview:
    """What says which function is called with which arguments, as far as they do not travel apart."""
    return written(encoded.envelope, encoded.buffers)


def written(envelope: bytes, buffers: Sequence[memoryview]) -> bytes | memoryview:
    """The same, of a chunk that arrived."""
    return envelope if envelope or not buffers else buffers[0]


def _flags(flags: list[Any]) -> tuple[bool, bool, Ownership | None]:
    match flags:
        case [bool(together), bool(opens), None]:
            return together, opens, None
        case [bool(together), bool(opens), [str(owner), int(seconds)]] if 0 < seconds < MOST_OWNED_SECONDS:
            return together, opens, Ownership(owner, seconds)
        case _:
            raise DecodeError(f"not a chunk of version {VERSION}: is this worker older than the producer?")


def _check_shape(chunk: Chunk) -> None:
    if (chunk.rows is None) == (chunk.columns is None):
        raise DecodeError("a chunk has either rows or columns")
    if chunk.columns is not None and len({len(column) for column in chunk.columns}) > 1:
        raise DecodeError("the columns of a chunk differ in length")
    if not 0 < len(chunk) <= MAX_CALLS:
        raise DecodeError(f"a chunk has 1 to {MAX_CALLS:,} calls, not {len(chunk):,}")


def _sequences(value: Any) -> Sequence[Sequence[Any]] | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(isinstance(v, (list, tuple, range, Repeated)) for v in value):
        return value
    raise DecodeError("the arguments of a chunk are no sequences")


def _columns(value: Any) -> Sequence[Sequence[Any]] | None:
    if not isinstance(value, list):
        return _sequences(value)
    columns = [_unpacked(column) if is_packed(column) else column for column in value]
    _sequences([column for column in columns if not is_column(column)])
    return columns


def _keywords(pairs: list[Any]) -> dict[int, Mapping[str, Any]]:
    found: dict[int, Mapping[str, Any]] = {}
    for pair in pairs:
        match pair:
            case [int(index), dict(kwargs)] if all(isinstance(name, str) for name in kwargs):
                found[index] = kwargs
            case _:
                raise DecodeError("the keywords of a chunk are no mapping of names")
    return found


def _name(function: str | bytes) -> str:
    return function if isinstance(function, str) else BY_VALUE


def _code(function: str | bytes) -> bytes:
    return function if isinstance(function, bytes) else b""


def _seconds(value: Any) -> float | None:
    if value is None or (isinstance(value, (int, float)) and value > 0):
        return value
    raise DecodeError(f"the time limit of a chunk is no positive number: {value!r}")


def _initializer(value: Any) -> Initializer | None:
    match value:
        case None:
            return None
        case [str(owner), (str() | bytes()) as function, (list() | tuple()) as args]:
            return Initializer(owner, _name(function), args, _code(function))
        case _:
            raise DecodeError("the initializer of a chunk is none")


def encode_outcome(outcome: Outcome, seal: Seal | None = None) -> Encoded:
    """Wire form of an outcome.  Raises EncodeError when a value cannot travel."""
    failures = [[index, failure.fields()] for index, failure in outcome.failures.items()]
    values = packed_column(outcome.values)
    return _shortened(encode([VERSION, outcome.first, values, failures, outcome.seconds, outcome.pid], seal=seal))


def decode_outcome(envelope: bytes, buffers: Sequence[memoryview] = (), seal: Seal | None = None) -> Outcome:
    """The outcome that `encode_outcome` wrote.  Raises DecodeError when it is none, and what `seal` raises."""
    match decode(*_whole(envelope, buffers), seal=seal):
        case [
            1,
            int(first),
            (list() | tuple() | dict()) as values,
            list(pairs),
            (int() | float()) as seconds,
            int(pid),
        ]:
            failures = {int(index): Failure.from_fields(fields) for index, fields in pairs}
            return Outcome(first, _values(values), failures, seconds, pid)
        case _:
            raise DecodeError(f"not an outcome of version {VERSION}: is this producer older than the worker?")


def _values(value: Any) -> Sequence[Any]:
    return list(_unpacked(value)) if is_packed(value) else value


def _unpacked(packed: dict[Any, Any]) -> Sequence[Any]:
    """The numbers of a column.  Raises DecodeError; a list of them takes 32 times its bytes, so it is bounded."""
    numbers: Sequence[Any] = unpacked_column(packed)
    if len(numbers) > MAX_CALLS:
        raise DecodeError(f"a column of {len(numbers):,} numbers; a chunk has up to {MAX_CALLS:,} calls")
    return numbers


def _shortened(encoded: Encoded) -> Encoded:
    if len(encoded.envelope) <= LONG_ENVELOPE:
        return encoded
    return Encoded(b"", (memoryview(encoded.envelope), *encoded.buffers), encoded.refs)


def _whole(envelope: bytes, buffers: Sequence[memoryview]) -> tuple[bytes, Sequence[memoryview]]:
    if envelope or not buffers:
        return envelope, buffers
    return bytes(buffers[0]), buffers[1:]
