"""The data field of a job: a chunk's envelope, or a call of an RQ producer.  Read in children only."""

import json
import pickle
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from farpool_common.chunk import RUNNER
from farpool_common.codec import Serializer, decode
from farpool_common.errors import DecodeError, FormatNotAcceptedError, ResultError
from farpool_common.escape import printable
from farpool_common.formats import Format, decompressed, format_of

_NO_CALL = "the job's data is no call: it should be [function, None, arguments, keywords]"

_SHOWN: dict[Format, str] = {"json": "JSON"}

Classes = Callable[[str], type] | None


@dataclass(frozen=True)
class Call:
    """What an RQ producer wants to be called, and how it wrote that.  `instance`: the name is a method's."""

    written: Format
    name: str
    instance: Any
    args: Sequence[Any]
    kwargs: dict[str, Any]


def chunk_of(data: bytes) -> tuple[bytes, bytes]:
    """The envelope of a chunk, and its seal, empty where it has none.  Raises DecodeError."""
    match decode(decompressed(data)):
        case [str(name), None, [bytes(envelope), _], _] if name == RUNNER:
            return envelope, b""
        case [str(name), None, [bytes(envelope), _, bytes(seal)], _] if name == RUNNER:
            return envelope, seal
        case _:
            raise DecodeError("the job's data is no chunk")


def check_accepted(data: bytes, accepted: Collection[Format], queue: str) -> Format:
    """The format of a job's data.  Raises FormatNotAcceptedError when it may not be read here, and DecodeError."""
    written = format_of(data)
    if written in accepted:
        return written
    if written == "unknown":
        decompressed(data)
        raise DecodeError(_NO_CALL)
    raise FormatNotAcceptedError(
        f"written with {_SHOWN.get(written, written)} by a producer of queue {printable(queue)}; "
        f"this worker accepts {' and '.join(_SHOWN.get(known, known) for known in accepted)} only. "
        f"Start a worker with --accept {written}, or give the queue farpool's serializer: "
        f"Queue(..., serializer=farpool.Serializer). The job is unchanged: rq requeue runs it again"
    )


def call_of(data: bytes, written: Format, classes: Classes) -> Call:
    """The call in a job's data.  Raises DecodeError."""
    match _read(decompressed(data), written, classes):
        case [str(name), instance, (list() | tuple()) as args, dict(kwargs)] if instance is None or written == "pickle":
            return Call(written, name, instance, args, kwargs)
        case [str(name), _, _, _]:
            raise DecodeError(f"{printable(name)} is called on an instance, which cannot travel without pickle")
        case _:
            raise DecodeError(_NO_CALL)


def _read(raw: bytes, written: Format, classes: Classes) -> Any:
    match written:
        case "msgpack":
            return decode(raw, classes=classes)
        case "pickle":
            return _loaded(pickle.loads, raw, "pickle")
        case "json":
            return _loaded(json.loads, raw, "JSON")
        case _:
            raise DecodeError(_NO_CALL)


def _loaded(loads: Callable[[bytes], Any], raw: bytes, what: str) -> Any:
    try:
        return loads(raw)
    except Exception as error:
        raise DecodeError(
            f"the job's data is no {what} that can be read here: {type(error).__name__}: {error}"
        ) from error


def encoded_result(value: Any, written: Format) -> bytes:
    """A result in the format that its producer reads; empty for None, as RQ has it.  Raises ResultError."""
    match written:
        case "pickle":
            return encoded_by(lambda known: pickle.dumps(known, protocol=pickle.HIGHEST_PROTOCOL), value, "pickle")
        case "json":
            return encoded_by(lambda known: json.dumps(known).encode(), value, "JSON")
        case _:
            return encoded_by(Serializer.dumps, value, "msgpack")


def encoded_by(dumps: Callable[[Any], bytes], value: Any, what: str) -> bytes:
    """The same, by any serializer.  RQ stores a placeholder instead, as a success."""
    if value is None:
        return b""
    try:
        return dumps(value)
    except Exception as error:
        kind = type(value).__name__
        why = f"{type(error).__name__}: {error}"
        raise ResultError(f"the result (a {kind}) cannot travel back as {what}: {why}") from error
