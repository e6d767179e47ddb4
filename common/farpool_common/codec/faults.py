"""Where in a value the part is that cannot travel.

Encoding keeps no track of where it is, so that what can travel pays nothing.  Only after a failure is
the value walked again, here.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

from farpool_common.codec.classes import is_named_tuple
from farpool_common.codec.kinds import Seal, Writing
from farpool_common.codec.registry import kind_of
from farpool_common.errors import EncodeError

MAX_DEPTH = 1_000
"""Containers within containers.  msgpack's packer stops at 1,024 and its unpacker at 1,025; dataclasses
and the relatives of dict take two."""

_SCALARS = frozenset({type(None), bool, float, str, bytes, bytearray, memoryview, int})
"""Types that are no containers on the wire."""


@dataclass(frozen=True, slots=True)
class _Part:
    value: Any
    path: str
    above: "_Part | None" = None
    depth: int = 0

    def is_inside_itself(self) -> bool:
        part = self.above
        while part is not None and part.value is not self.value:
            part = part.above
        return part is not None


def explain(value: Any, seal: Seal | None = None) -> EncodeError | None:
    """Why a value cannot be encoded, with the path of the part at fault; None when it can."""
    waiting = [_Part(value, "")]
    while waiting:
        part = waiting.pop()
        try:
            inside = _parts(part, seal)
        except EncodeError as error:
            return EncodeError(error.reason, path=_shortened(part.path))
        except Exception as error:  # of a property, or because another thread changes the value
            return EncodeError(f"{type(error).__name__} while taking it apart: {error}", path=_shortened(part.path))
        waiting.extend(reversed(inside))
    return None


def _shortened(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:90]} ... {path[-90:]}"


def _parts(part: _Part, seal: Seal | None) -> list[_Part]:
    if _is_plain(part.value):
        return []
    if part.is_inside_itself():
        raise EncodeError("contains itself")
    if part.depth > MAX_DEPTH:
        raise EncodeError(f"nested deeper than {MAX_DEPTH:,} levels")
    return [
        _Part(child, part.path + step, part, part.depth + 1)
        for step, child in _children(part.value, seal)
        if not _is_plain(child)
    ]


def _is_plain(value: Any) -> bool:
    found = type(value)
    if found is memoryview:
        return bool(value.contiguous)
    return found in _SCALARS


def _children(value: Any, seal: Seal | None) -> Iterable[tuple[str, Any]]:
    """What a value consists of, each with its step in a path."""
    if type(value) is memoryview:
        raise EncodeError("a memoryview with gaps; send bytes(value)")
    if type(value) in (list, dict):
        parts: Sequence[Any] = ()
    else:
        try:
            parts = kind_of(value).write(value, Writing(None))
        except EncodeError:
            if seal is None:
                raise
            seal.sealed(value)
            return ()
    if isinstance(value, dict):
        return (*((".default_factory", part) for part in parts[:-1]), *_entries(value))
    if isinstance(value, (list, deque)) or type(value) is tuple:
        return ((f"[{index}]", item) for index, item in enumerate(value))
    if is_named_tuple(type(value)):
        return ((f".{name}", item) for name, item in zip(type(value)._fields, value, strict=True))
    if is_dataclass(value):
        return ((f".{name}", item) for name, item in parts[1].items())
    if isinstance(value, (set, frozenset)):
        return ((".element", item) for item in value)
    return (("", item) for item in parts)


def _entries(value: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        name = _short(key)
        yield f".key({name})", key
        yield f"[{name}]", item


def _short(key: Any) -> str:
    try:
        text = repr(key)
    except Exception:
        text = f"<{type(key).__name__}>"
    return text if len(text) <= 40 else f"{text[:37]}..."


def count_containers(value: Any, enough: int) -> int:
    """How many containers `decode` will count in a value, or some number above `enough`."""
    waiting, count = [] if _is_plain(value) else [value], 0
    while waiting and count <= enough:
        inside = _content(waiting.pop())
        count += 1
        if not _SCALARS.issuperset(map(type, inside)):
            waiting.extend(item for item in inside if not _is_plain(item))
    return count


def _content(value: Any) -> Sequence[Any]:
    if type(value) is dict:
        return (*value, *value.values())
    if type(value) in (list, tuple):
        found: Sequence[Any] = value
        return found
    try:
        return kind_of(value).write(value, Writing(None))
    except EncodeError:  # it is pickled
        return ()
