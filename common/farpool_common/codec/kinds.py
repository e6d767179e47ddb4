"""The tagged array: how a type that msgpack does not know is written.

It is a msgpack array whose first element is an empty extension; the extension's code tells the type.
A list that a user wrote never looks like one: empty extensions have no other use in farpool's format.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

from msgpack import ExtType

from farpool_common.codec.limits import MAX_CLASS_NAME
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
    REF = 30
    REPEATED = 31
    HANDLE = 32
    SEALED = 33


class Seal(Protocol):
    """How values travel that the codec does not know: pickled and signed."""

    def sealed(self, value: Any) -> Any:
        """A `Sealed` that stands for a value.  Raises EncodeError."""

    def opened(self, sealed: Any) -> Any:
        """The value of a `Sealed`.  Raises a FarpoolError unless it is signed as it should be."""

    def is_preferred(self, found: type) -> bool:
        """Whether a class is one that workers would not look up by its name."""
        ...


class Writing:
    """One `encode` under way: the arrays that leave the envelope, the bytes of those that do not, the references
    that were met, by their ids, and how what is unknown travels."""

    __slots__ = ("buffers", "inline_limit", "inlined", "refs", "seal")

    def __init__(self, inline_limit: int | None, seal: Seal | None = None) -> None:
        self.inline_limit, self.seal = inline_limit, seal
        self.inlined = 0
        self.buffers: list[memoryview] = []
        self.refs: dict[str, Any] = {}


class Reading:
    """One `decode` under way: what it was given, and the classes it has found.

    `objects` gives the value that a reference stands for.  `is_shared`: arrays are read-only.  `seal` opens what
    was pickled.
    """

    __slots__ = ("buffers", "classes", "found", "is_shared", "objects", "seal")

    def __init__(
        self,
        buffers: Iterable[memoryview],
        classes: Callable[[str], type],
        objects: Callable[[str], Any] | None = None,
        *,
        is_shared: bool = False,
        seal: Seal | None = None,
    ) -> None:
        self.buffers = [memoryview(buffer) for buffer in buffers]
        self.classes, self.objects, self.is_shared, self.seal = classes, objects, is_shared, seal
        self.found: dict[str, type] = {}

    def find_class(self, name: str) -> type:
        """The class of that name.  Raises what the resolver raises, or DecodeError."""
        found = self.found.get(name)
        if found is None:
            if len(name) > MAX_CLASS_NAME or not name.isprintable():
                raise DecodeError("malformed name of a class")
            found = self.classes(name)
            if not isinstance(found, type):
                raise DecodeError(f"{name} is no class")
            self.found[name] = found
        return found


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
