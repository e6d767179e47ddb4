"""The tagged array: how a type that msgpack does not know is written.

It is a msgpack array whose first element is an empty extension; the extension's code tells the type.
Extensions have no other use in farpool's format, so a list that a user wrote never looks like one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from msgpack import ExtType

from farpool_common.codec.limits import Limits
from farpool_common.errors import DecodeError


class Code(IntEnum):
    """Extension codes.  They are on the wire: never renumber, never reuse."""

    TUPLE = 1
    SET = 2
    FROZENSET = 3
    INT = 4
    COMPLEX = 5
    DECIMAL = 6
    FRACTION = 7
    DATETIME = 8
    DATE = 9
    TIME = 10
    TIMEDELTA = 11
    TIMEZONE = 12
    ZONEINFO = 13
    UUID = 14
    PATH = 15
    RANGE = 16
    SLICE = 17
    ENUM = 18
    DATACLASS = 19
    NAMEDTUPLE = 20
    DEQUE = 21
    ORDERED_DICT = 22
    COUNTER = 23
    DEFAULTDICT = 24
    CONSTANT = 25
    TYPE = 26
    ARRAY = 27
    SCALAR = 28
    DTYPE = 29


@dataclass(slots=True)
class Writing:
    """One `encode` under way: the arrays that leave the envelope."""

    inline_limit: int | None
    buffers: list[memoryview] = field(default_factory=list)
    indexes: dict[int, int] = field(default_factory=dict)
    """Buffer of an array, by the array's id: an array that occurs again is not sent again."""
    kept: list[Any] = field(default_factory=list)
    """Those arrays, so that no id is given to another object meanwhile."""
    inlined: int = 0
    """Bytes of arrays inside the envelope."""


@dataclass(slots=True)
class Reading:
    """One `decode` under way: what it was given."""

    buffers: list[memoryview]
    classes: Callable[[str], type]
    limits: Limits


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One sort of tagged array.

    `write` takes a value apart into parts that can be encoded, `read` puts them together.  `read` may
    raise anything: the decoder makes a DecodeError of it.
    """

    code: Code
    write: Callable[[Any, Writing], Sequence[Any]]
    read: Callable[[list[Any], Reading], Any]
    mark: ExtType = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mark", ExtType(int(self.code), b""))


def malformed(what: str) -> DecodeError:
    """The error for parts which are not those of a `what`."""
    return DecodeError(f"malformed {what}")
