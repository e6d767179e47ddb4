"""The function of a chunk's RQ job, for a stock RQ worker (`rq worker -S farpool.Serializer`).

farpool's own children never import this module: they hold neither redis nor rq.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import redis
from rq import get_current_job

from farpool_common.broker import Payloads, StoredObjects
from farpool_common.by_value import Warrant
from farpool_common.calls import Results, arguments, called, run_some
from farpool_common.chunk import Chunk
from farpool_common.codec import Encoded, Seal, decode
from farpool_common.delivery import cannot_travel, deliver
from farpool_common.failure import Failure
from farpool_common.keys import Keys
from farpool_common.limit import SoftLimit
from farpool_common.payload import parts_from_rows
from farpool_common.preparing import NO_WARRANT, Prepared, Preparer
from farpool_common.sealing import Sealer
from farpool_common.shared import map_arguments
from farpool_common.signing import key_here
from farpool_common.sizes import MAX_BYTES
from farpool_common.stored_results import Ownership, stored_result
from farpool_common.trust import Trust, class_of

MOST_RQ_RESULT_BYTES = 256 * 1024 * 1024
"""What a stock RQ worker may return: it writes base64 of it into one stream entry (guess)."""

TRUST = Trust(everything=True)
PLACE = "the RQ worker's server"

BATCH_SECONDS = 1.0
"""Results in one envelope; they all wait for the last call anyway (guess)."""


def run_chunk(envelope: bytes, parts: Sequence[Sequence[Any]], seal: bytes = b"") -> list[bytes | list[bytes]]:
    """Run all calls of a chunk.  The job's return value is a list of outcomes, each an envelope, or
    `[envelope, buffer, ...]` when it has large arrays.

    RQ's own worker runs any function of any module, so nothing is refused here.  A chunk that cannot be
    read, or whose function cannot be imported, fails as a whole, as RQ's jobs do.
    """
    preparer = Preparer(TRUST, cache(_object), key_here())
    prepared = preparer.prepare(envelope, _fetched(parts) if parts else (), _warrant(seal))
    sealer, delivered = preparer.seal_for(prepared.chunk), list[bytes | list[bytes]]()

    def send(_: Results, encoded: Encoded) -> None:
        buffers = [bytes(buffer) for buffer in encoded.buffers]
        delivered.append([encoded.envelope, *buffers] if buffers else encoded.envelope)

    for results in _run_all(prepared):
        if prepared.chunk.ownership is not None:
            results = _kept(results, prepared.chunk, prepared.chunk.ownership, sealer)
        deliver(results, prepared.chunk.function, MOST_RQ_RESULT_BYTES, send, sealer)
    return delivered


def _kept(results: Results, chunk: Chunk, ownership: Ownership, seal: Seal | None) -> Results:
    """The same with descriptions of values, which are stored."""
    client, keys = _server()
    objects, values, failures = StoredObjects(client, keys, PLACE), list(results.values), dict(results.failures)
    for place, value in enumerate(values):
        if results.first + place in failures:
            continue
        try:
            found = stored_result(value, chunk.function, MAX_BYTES, seal)
            objects.keep(objects.described_as(found.id, found.sizes), found.buffers, ownership.owner, ownership.seconds)
            values[place] = found.description
        except Exception as error:  # or whatever a property of the value raised
            values[place], failures[results.first + place] = None, Failure.of(cannot_travel(chunk.function, error))
    return replace(results, values=values, failures=failures)


def _run_all(prepared: Prepared) -> Iterator[Results]:
    chunk, nobody_looks, start = prepared.chunk, [0, 0, 0, 0], 0
    with SoftLimit(prepared.function, chunk.limit) as limited:
        function, calls = called(limited, chunk), arguments(chunk, 0, len(chunk))
        while start < len(chunk):
            results = run_some(function, calls, start, nobody_looks, BATCH_SECONDS)
            start = results.stop
            yield results


def _fetched(parts: Sequence[Sequence[Any]]) -> list[memoryview]:
    client, keys = _server()
    payloads = Payloads(client, keys, PLACE)
    found = parts_from_rows(parts, keys.prefix)
    if any(part.is_shared for part in found):
        return map_arguments(found)
    return [payloads.fetch(part) for part in found]


def _object(object_id: str) -> Any:
    client, keys = _server()
    envelope, *buffers = StoredObjects(client, keys, PLACE).fetch(object_id)
    return decode(envelope, buffers, classes=partial(class_of, trust=TRUST), is_shared=True, seal=Sealer(key_here()))


def _warrant(seal: bytes) -> Warrant:
    job = get_current_job()
    return NO_WARRANT if job is None else Warrant(job.id, job.origin, seal)


def _server() -> tuple[redis.Redis, Keys]:
    job = get_current_job()
    if job is None:
        raise RuntimeError("run_chunk with large arguments runs inside an RQ worker only")
    return job.connection, Keys(job.redis_job_namespace_prefix.removesuffix(":job:"))
