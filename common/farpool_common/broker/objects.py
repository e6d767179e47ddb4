"""Objects for many tasks: stored once by content, kept alive by their owners, and gone with the last of them.

The parts of an object are buffers in pieces, as those of a task.  Its head, written last, tells their sizes
and checksums.  Owners are producers: each enters itself in the object's set and renews the expiry of all its
keys.  Whoever leaves the set empty removes them; what an owner leaves behind that died expires.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgpack
import redis
import xxhash

from farpool_common.broker.outages import translated
from farpool_common.broker.payloads import Payloads
from farpool_common.broker.stream import streamed
from farpool_common.codec import Encoded
from farpool_common.errors import DecodeError, ObjectExpiredError, ResultExpiredError
from farpool_common.keys import Keys
from farpool_common.payload import MAX_PARTS, MAX_PARTS_BYTES, Part, StoredObject

MOST_KEYS = 500
"""Keys in one command."""

MOST_AT_ONCE = 64 * 1024
"""Bytes of an object that is written in one go (guess: a round trip costs more)."""


class StoredObjects:
    """Stores, finds and removes objects.  Not thread-safe where its client is not.  Raises farpool's errors."""

    def __init__(self, client: redis.Redis, keys: Keys, place: str) -> None:
        self._client, self._keys, self._place = client, keys, place
        self._payloads = Payloads(client, keys, place)

    # --- for owners

    def described(self, encoded: Encoded) -> StoredObject:
        """What the object will be, from its content."""
        buffers = [memoryview(encoded.envelope), *encoded.buffers]
        digest = xxhash.xxh3_128()
        for buffer in buffers:
            digest.update(buffer.nbytes.to_bytes(8, "little"))
            digest.update(buffer)
        object_id = digest.hexdigest()
        sums = [(buffer.nbytes, xxhash.xxh3_64_intdigest(buffer)) for buffer in buffers]
        return StoredObject(object_id, self._parts(object_id, sums))

    def store(self, stored: StoredObject, encoded: Encoded, owner: str, seconds: int) -> None:
        """Enter an owner, and write the object unless it is there."""
        owners = self._keys.owners(stored.id)
        with translated(self._place):
            pipeline = self._client.pipeline()
            pipeline.sadd(owners, owner)
            pipeline.expire(owners, seconds)
            pipeline.execute()
        if self.renew(stored, seconds):
            return
        self._write(stored, [memoryview(encoded.envelope), *encoded.buffers], seconds)

    def _write(self, stored: StoredObject, buffers: Sequence[memoryview], seconds: int) -> None:
        for part, buffer in zip(stored.parts, buffers, strict=True):
            self._payloads.write(part, buffer, seconds)
        with translated(self._place):
            self._client.set(self._keys.object(stored.id), _head(stored), ex=seconds)

    def described_as(self, object_id: str, sizes: Iterable[tuple[int, int]]) -> StoredObject:
        """An object of that id whose parts have these sizes and checksums."""
        return StoredObject(object_id, self._parts(object_id, sizes))

    def keep(self, stored: StoredObject, buffers: Sequence[memoryview], owner: str, seconds: int) -> None:
        """Write an object that is new, and whose one owner is another process: at once where it is small."""
        owners, head = self._keys.owners(stored.id), _head(stored)
        small = stored.nbytes <= MOST_AT_ONCE
        with translated(self._place):
            pipeline = self._client.pipeline()
            pipeline.sadd(owners, owner)
            pipeline.expire(owners, seconds)
            for part, buffer in zip(stored.parts, buffers, strict=True) if small else ():
                pipeline.set(next(part.piece_keys()), bytes(buffer), ex=seconds)
            if small:
                pipeline.set(self._keys.object(stored.id), head, ex=seconds)
            pipeline.execute()
        if not small:
            self._write(stored, buffers, seconds)

    def drop(self, objects: Iterable[StoredObject]) -> None:
        """Remove objects that have no owner but the caller."""
        names = [name for stored in objects for name in (self._keys.owners(stored.id), *self._all_keys(stored))]
        with translated(self._place):
            for group in _groups(names):
                self._client.unlink(*group)

    def renew(self, stored: StoredObject, seconds: int) -> bool:
        """Let the object live for so many seconds more; False when a piece of it is gone."""
        found = []
        with translated(self._place):
            for group in _groups([self._keys.owners(stored.id), *self._all_keys(stored)]):
                pipeline = self._client.pipeline(transaction=False)
                for key in group:
                    pipeline.expire(key, seconds)
                found += pipeline.execute()
        return all(found)

    def release(self, stored: StoredObject, owner: str) -> None:
        """Take an owner out; with the last one the object goes."""
        owners = self._keys.owners(stored.id)

        def leave(pipeline: Any) -> None:
            is_last = pipeline.smembers(owners) <= {owner.encode()}
            pipeline.multi()
            pipeline.srem(owners, owner)
            for group in _groups(self._all_keys(stored)) if is_last else ():
                pipeline.unlink(*group)

        with translated(self._place):
            self._client.transaction(leave, owners)  # again, when somebody has entered meanwhile

    def _all_keys(self, stored: StoredObject) -> list[str]:
        return [self._keys.object(stored.id), *(key for part in stored.parts for key in part.piece_keys())]

    # --- for readers

    def find(self, object_id: str) -> StoredObject:
        """What an object consists of.  Raises ObjectExpiredError, and DecodeError for a head that is none."""
        with translated(self._place):
            head: Any = self._client.get(self._keys.object(object_id))
        if head is None:
            raise ObjectExpiredError(object_id)
        return StoredObject(object_id, self._parts(object_id, _sizes(head)))

    def read(self, stored: StoredObject, write: Callable[[int, bytes, int], None]) -> None:
        """Hand over its bytes, piece by piece: the number of the part, the piece, and where in the part it belongs.

        Raises ObjectExpiredError, and DecodeError when they are damaged.
        """
        for number, part in enumerate(stored.parts):
            offset, digest = 0, xxhash.xxh3_64()
            for piece in streamed(self._client, part.piece_keys(), self._place):
                if piece is None:
                    raise ObjectExpiredError(stored.id)
                if offset + len(piece) > part.nbytes:
                    raise DecodeError(f"a part of stored object {stored.id[:8]} is longer than its head says")
                digest.update(piece)
                write(number, piece, offset)
                offset += len(piece)
                del piece
            if offset != part.nbytes or digest.intdigest() != part.checksum:
                raise DecodeError(f"stored object {stored.id[:8]} is damaged: a checksum differs")

    def fetch(self, object_id: str) -> list[memoryview]:
        """The parts in new memory, writable."""
        stored = self.find(object_id)
        self.check_there(stored)
        targets = [memoryview(bytearray(part.nbytes)) for part in stored.parts]

        def write(number: int, piece: bytes, offset: int) -> None:
            targets[number][offset : offset + len(piece)] = piece

        self.read(stored, write)
        return targets

    def check_there(self, stored: StoredObject) -> None:
        """See that the parts have the sizes that are noted, before anybody makes room for these."""
        try:
            self._payloads.check_there(stored.parts)
        except ResultExpiredError as error:
            raise ObjectExpiredError(stored.id) from error

    def gone(self, object_ids: Sequence[str]) -> list[str]:
        """Which of these objects are no longer there."""
        missing: list[str] = []
        with translated(self._place):
            for group in _groups(list(object_ids)):
                pipeline = self._client.pipeline(transaction=False)
                for object_id in group:
                    pipeline.exists(self._keys.object(object_id))
                missing += [name for name, is_there in zip(group, pipeline.execute(), strict=True) if not is_there]
        return missing

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _parts(self, object_id: str, sizes: Iterable[tuple[int, int]]) -> tuple[Part, ...]:
        rows = enumerate(sizes)
        return tuple(Part(self._keys.object_part(object_id, at), nbytes, checksum) for at, (nbytes, checksum) in rows)


def _head(stored: StoredObject) -> bytes:
    packed: bytes = msgpack.packb([[part.nbytes, part.checksum] for part in stored.parts])
    return packed


def _sizes(head: bytes) -> list[tuple[int, int]]:
    """Sizes and checksums of parts.  Raises DecodeError."""
    try:
        rows = msgpack.unpackb(head, max_array_len=MAX_PARTS)
    except Exception as error:
        raise DecodeError(f"the head of a stored object is damaged: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise DecodeError("the head of a stored object is no list of parts")
    sizes = []
    for row in rows:
        match row:
            case [int(nbytes), int(checksum)] if 0 <= nbytes < 2**40:
                sizes.append((nbytes, checksum))
            case _:
                raise DecodeError("the head of a stored object is damaged")
    if sum(nbytes for nbytes, _ in sizes) > MAX_PARTS_BYTES:
        raise DecodeError(f"a stored object takes more than {MAX_PARTS_BYTES:,} bytes, by its head")
    return sizes


def _groups(names: list[str]) -> Iterable[list[str]]:
    return (names[i : i + MOST_KEYS] for i in range(0, len(names), MOST_KEYS))
