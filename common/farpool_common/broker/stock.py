"""What a stock RQ worker leaves of an executor's task: RQ's result stream instead of our reply stream."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from farpool_common.broker.connection import text
from farpool_common.codec import Serializer
from farpool_common.errors import DecodeError
from farpool_common.keys import Keys
from farpool_common.payload import Part, unpack_parts

_SUCCESSFUL = b"1"
MOST_TRACEBACK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class StockEnd:
    """The end of a task that RQ's own worker ran: outcomes (envelope and buffers), or RQ's traceback."""

    host: str
    outcomes: Sequence[tuple[bytes, Sequence[memoryview]]]
    traceback: str | None
    parts: Sequence[Part]


def stock_end(client: redis.Redis, keys: Keys, task_id: str) -> StockEnd | None:
    """How RQ's worker ended the task; None when it has not.  Raises DecodeError and the client's errors."""
    entries: Any = client.xrevrange(keys.results(task_id), count=1)
    if not entries:
        return None
    fields = entries[0][1]
    host = text(fields.get(b"worker_name", b""))
    packed: Any = client.hget(keys.job(task_id), "farpool_parts")
    parts = unpack_parts(packed or b"", keys.prefix)
    if fields.get(b"type") == _SUCCESSFUL:
        return StockEnd(host, _outcomes(fields.get(b"return_value", b"")), None, parts)
    return StockEnd(host, (), _traceback(fields.get(b"exc_string", b"")), parts)


@dataclass(frozen=True)
class JobResult:
    """What a job has returned, or the traceback of its failure."""

    value: Any = None
    traceback: str | None = None


def job_result(client: redis.Redis, keys: Keys, job_id: str) -> JobResult | None:
    """The last result of a job whose serializer is ours.  Raises DecodeError and the client's errors."""
    entries: Any = client.xrevrange(keys.results(job_id), count=1)
    if not entries:
        return None
    fields = entries[0][1]
    if fields.get(b"type") != _SUCCESSFUL:
        return JobResult(traceback=_traceback(fields.get(b"exc_string", b"")))
    encoded = fields.get(b"return_value", b"")
    try:
        return JobResult(Serializer.loads(base64.b64decode(encoded)) if encoded else None)
    except ValueError as error:
        raise DecodeError(
            f"the result of job {job_id} is damaged, or not written by farpool.Serializer: {error}"
        ) from error


def _outcomes(encoded: bytes) -> list[tuple[bytes, Sequence[memoryview]]]:
    """What `run_chunk` returned, through RQ's base64."""
    try:
        found = Serializer.loads(base64.b64decode(encoded))
    except ValueError as error:
        raise DecodeError(f"the result that an RQ worker wrote is damaged: {error}") from error
    if not isinstance(found, list):
        raise DecodeError("the result that an RQ worker wrote is no list of outcomes")
    return [_outcome(item) for item in found]


def _outcome(item: Any) -> tuple[bytes, Sequence[memoryview]]:
    match item:
        case bytes():
            return item, ()
        case [bytes(envelope), *buffers] if all(isinstance(buffer, bytes) for buffer in buffers):
            return envelope, [memoryview(bytearray(buffer)) for buffer in buffers]
        case _:
            raise DecodeError("an outcome that an RQ worker wrote is none")


def _traceback(packed: bytes) -> str:
    try:
        found = zlib.decompressobj().decompress(base64.b64decode(packed), MOST_TRACEBACK_BYTES)
    except (ValueError, zlib.error):
        return "(RQ's worker left no traceback that can be read)"
    return found.decode("utf-8", "replace")
