"""Enum members, dataclasses and named tuples on the wire: by the name of their class.

The name is all that travels of a class.  The reader looks it up with the resolver it was given, and
sets the fields without running the class's `__init__`, as unpickling would.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum, Flag
from functools import cached_property, lru_cache
from typing import Any

from farpool_common.codec.kinds import Code, Kind, Reading, Writing, malformed
from farpool_common.errors import DecodeError, EncodeError
from farpool_common.names import class_name, loaded_class

_HEAP_TYPE = 1 << 9
"""CPython's Py_TPFLAGS_HEAPTYPE: the class was made by a class statement."""


def kind_of(found: type) -> Kind | None:
    """How instances of a user's class are written, or None."""
    if issubclass(found, Enum):
        return ENUM
    if is_dataclass(found):
        return DATACLASS
    if is_named_tuple(found):
        return NAMEDTUPLE
    return None


def is_named_tuple(found: type) -> bool:
    """Whether a class came from `typing.NamedTuple` or `collections.namedtuple`."""
    return issubclass(found, tuple) and isinstance(getattr(found, "_fields", None), tuple)


@lru_cache(256)
def _portable_name(found: type) -> str:
    """`module:qualname` under which other processes find a class.  Raises EncodeError."""
    name = class_name(found)
    if "<locals>" in name:
        raise EncodeError(f"class {name} is defined inside a function; move it to the top level of its module")
    if name.startswith("__main__:"):
        raise EncodeError(f"class {found.__qualname__} belongs to an interactive session; move it to a module")
    try:
        reachable = loaded_class(name) is found
    except DecodeError:
        reachable = False
    if not reachable:
        raise EncodeError(f"class {name} is not what its module has under that name")
    return name


# --- Enum --------------------------------------------------------------------------------------


def _write_enum(value: Enum, _: Writing) -> list[Any]:
    name = _portable_name(type(value))
    if value.name in type(value).__members__:
        return [name, value.name]
    return [name, value.value]  # flags combined: they have no name


def _read_enum(parts: list[Any], reading: Reading) -> Enum:
    match parts:
        case [str(name), (str() | int()) as member]:
            return _member(reading.find_class(name), name, member)
    raise malformed("Enum member")


def _member(found: type, name: str, member: str | int) -> Enum:
    if isinstance(member, str) and issubclass(found, Enum) and member in found.__members__:
        return found.__members__[member]
    if isinstance(member, int) and issubclass(found, Flag):
        return found(member)
    raise DecodeError(f"{name} is no Enum with a member {str(member)[:100]!r}")


# --- dataclasses -------------------------------------------------------------------------------


@lru_cache(256)
def _fields_of(found: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(found))


@lru_cache(256)
def _check_bases(found: type) -> None:
    """Refuse a dataclass that is also a list, an exception and the like: it has more than its fields."""
    for base in found.__mro__[:-1]:
        if not base.__flags__ & _HEAP_TYPE:
            raise EncodeError(f"dataclass {found.__qualname__} is also a {base.__name__}; only its fields could travel")


def _write_dataclass(value: Any, _: Writing) -> list[Any]:
    found: type = type(value)
    name = _portable_name(found)
    _check_bases(found)
    names = _fields_of(found)
    state = {field: getattr(value, field) for field in names}
    _check_nothing_lost(value, names)
    return [name, state]


def _check_nothing_lost(value: Any, names: tuple[str, ...]) -> None:
    """Refuse attributes that are no fields, except what a `cached_property` would compute again."""
    for extra in getattr(value, "__dict__", {}).keys() - names:
        if not isinstance(getattr(type(value), extra, None), cached_property):
            raise EncodeError(
                f"attribute {extra!r} of {type(value).__qualname__} is no field and would be lost; "
                f"declare it with field(init=False)"
            )


def _read_dataclass(parts: list[Any], reading: Reading) -> Any:
    match parts:
        case [str(name), dict(state)]:
            found = reading.find_class(name)
            if not is_dataclass(found):
                raise DecodeError(f"{name} is no dataclass")
            return _rebuilt(found, name, state)
    raise malformed("dataclass")


def _rebuilt(found: type, name: str, state: dict[str, Any]) -> Any:
    names = _fields_of(found)
    if state.keys() != set(names):
        raise DecodeError(f"the fields of {name} differ between here and where it was written: here {names}")
    value: Any = object.__new__(found)
    for field, content in state.items():
        object.__setattr__(value, field, content)  # also when frozen
    return value


# --- named tuples ------------------------------------------------------------------------------


def _write_named_tuple(value: tuple[Any, ...], _: Writing) -> list[Any]:
    return [_portable_name(type(value)), *value]


def _read_named_tuple(parts: list[Any], reading: Reading) -> tuple[Any, ...]:
    match parts:
        case [str(name), *items]:
            found = reading.find_class(name)
            if not is_named_tuple(found) or len(found._fields) != len(items):  # type: ignore[attr-defined]
                raise DecodeError(f"{name} is no named tuple of {len(items)} fields")
            value: tuple[Any, ...] = tuple.__new__(found, items)
            return value
    raise malformed("named tuple")


# --- classes as values -------------------------------------------------------------------------

_BUILTIN_TYPES: Mapping[str, type] = {
    found.__name__: found
    for found in (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, object)
}


def _write_type(value: type, _: Writing) -> list[Any]:
    if _BUILTIN_TYPES.get(value.__name__) is value:
        return [value.__name__]
    raise EncodeError(f"class {value.__qualname__} itself; only builtin types and NumPy's can travel, send its name")


def _read_type(parts: list[Any], _: Reading) -> type:
    match parts:
        case [str(name)] if name in _BUILTIN_TYPES:
            return _BUILTIN_TYPES[name]
    raise malformed("type")


ENUM = Kind(Code.ENUM, _write_enum, _read_enum)
DATACLASS = Kind(Code.DATACLASS, _write_dataclass, _read_dataclass)
NAMEDTUPLE = Kind(Code.NAMEDTUPLE, _write_named_tuple, _read_named_tuple)
TYPE = Kind(Code.TYPE, _write_type, _read_type)
