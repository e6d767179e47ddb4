"""Handles of shared objects on the wire: by their description."""

from typing import Any

from farpool_common.codec.kinds import Code, Kind, Reading, Writing, malformed
from farpool_common.handles import Handle, read_handle


def kind_of(value: Any) -> Kind | None:
    """How a handle is written; None for what is none."""
    return HANDLE if isinstance(value, Handle) else None


def _write_handle(value: Handle, _: Writing) -> list[Any]:
    kind, object_id, details = value.description()
    return [kind, object_id, *details]


def _read_handle(parts: list[Any], _: Reading) -> Handle:
    match parts:
        case [str(kind), str(object_id), *details]:
            return read_handle(kind, object_id, details)
    raise malformed("handle of a shared object")


HANDLE = Kind(Code.HANDLE, _write_handle, _read_handle)
