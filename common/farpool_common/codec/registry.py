"""Which kind belongs to which type, and to which code on the wire."""

from collections.abc import Mapping
from typing import Any

from farpool_common.codec import classes, containers, handles, numeric, references, scalars, sealed, times
from farpool_common.codec.advice import refusal
from farpool_common.codec.kinds import Kind
from farpool_common.errors import EncodeError

_BY_TYPE: Mapping[type, Kind] = {
    **containers.KINDS,
    **scalars.KINDS,
    **times.KINDS,
    **references.KINDS,
    sealed.Sealed: sealed.SEALED,
}

BY_CLASS = frozenset({classes.ENUM, classes.DATACLASS, classes.NAMEDTUPLE, classes.TYPE})
"""Kinds whose reader looks up the name of a class."""

BY_CODE: Mapping[int, Kind] = {
    int(kind.code): kind
    for kind in (
        *_BY_TYPE.values(),
        classes.ENUM,
        classes.DATACLASS,
        classes.NAMEDTUPLE,
        classes.TYPE,
        numeric.ARRAY,
        numeric.SCALAR,
        numeric.DTYPE,
        handles.HANDLE,
    )
}


def kind_of(value: Any) -> Kind:
    """How a value is written that msgpack does not know.  Raises EncodeError when there is no way."""
    found = _BY_TYPE.get(type(value)) or numeric.kind_of(value)
    if found is not None:
        return found
    if isinstance(value, type):
        return classes.TYPE
    kind = classes.kind_of(type(value)) or handles.kind_of(value)
    if kind is None:
        raise refusal(value)
    return kind


def is_known(value: Any) -> bool:
    """Whether the codec has a way of its own to write a value; what is inside it is another question."""
    if type(value) in _NATIVE:
        return True
    try:
        kind_of(value)
    except EncodeError:
        return False
    return True


_NATIVE = frozenset({type(None), bool, int, float, str, bytes, bytearray, memoryview, list, dict})
