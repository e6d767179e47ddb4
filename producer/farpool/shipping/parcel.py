"""A task in its wire form, from encoding until the server has it."""

import math
from collections.abc import Sequence
from itertools import groupby

from farpool.options import CallOptions
from farpool.shipping.arguments import sifted
from farpool.shipping.pressure import Bound, bound_of
from farpool.shipping.shipment import Shipment
from farpool_common.broker import ProducerBroker
from farpool_common.by_value import sealed
from farpool_common.chunk import RUNNER, encode_chunk, envelope_of
from farpool_common.codec import Encoded, Serializer
from farpool_common.errors import TooLargeError
from farpool_common.sizes import ARGUMENT_BYTES_SETTING
from farpool_common.task import NewTask

MOST_BYTES = 4 * 1024 * 1024
"""Bytes in one enqueue, so that no command holds the server for long."""

MOST_TASKS = 256

_STORED_SECONDS = 1800.0
"""Buffers on the server expire after an hour unless their task follows; we write them again before."""

_QUICK_BYTES = 8 * 1024 * 1024
"""Copied into shared memory within a millisecond or two: less than it would matter to who submits (guess)."""


class Parcel:
    """An encoded task, and where its large buffers are stored."""

    def __init__(self, shipment: Shipment, encoded: Encoded) -> None:
        self.shipment, self._encoded = shipment, encoded
        self._stored_at: float | None = None

    @property
    def options(self) -> CallOptions:
        """How its calls are run."""
        return self.shipment.route.options

    def is_quick(self, broker: ProducerBroker) -> bool:
        """True unless large buffers go to the server before the task, or take long to copy."""
        if not self._encoded.buffers:
            return True
        if broker.is_sharing(self.options.queue):
            return self._encoded.nbytes <= _QUICK_BYTES
        return broker.stores_quickly(self._encoded.nbytes - self.nbytes)

    @property
    def nbytes(self) -> int:
        """Size of the task's record."""
        return len(self._encoded.envelope)

    def store(self, broker: ProducerBroker, now: float) -> None:
        """Write the large buffers, unless they are there."""
        if not self._encoded.buffers or any(part.is_shared for part in self.shipment.parts):
            return
        if self._stored_at is not None and now < self._stored_at + _STORED_SECONDS:
            return
        self.shipment.parts = broker.store(self.shipment.id, self._encoded.buffers, self.options.queue)
        self._stored_at = now

    def task(self, reply: str) -> NewTask:
        """What the broker enqueues."""
        shipment, options = self.shipment, self.options
        parts = [[part.key, part.nbytes, part.checksum] for part in shipment.parts]
        name = shipment.route.name
        return NewTask(
            id=shipment.id,
            data=Serializer.dumps([RUNNER, None, [self._encoded.envelope, parts, *self._seal()], {}]),
            description=f"{name} ({shipment.calls:,} call{'s' if shipment.calls > 1 else ''})",
            label=name,
            reply=reply,
            calls=shipment.calls,
            limit=options.timeout,
            retries=options.losses,
            parts=shipment.parts,
            objects=[ref.id for ref in shipment.refs],
            keep=None if options.keep is None else math.ceil(options.keep),
        )

    def _seal(self) -> list[bytes]:
        """Shows who has sent the task, where a function of it travels by value."""
        route = self.shipment.route
        if route.key is None:
            return []
        return [sealed(route.key, self.shipment.id, route.options.queue, envelope_of(self._encoded))]


def packed(shipment: Shipment, most_bytes: int) -> Parcel | None:
    """The task encoded; calls with arguments that cannot travel fail.  None when no call is left.

    Raises TooLargeError.
    """
    try:
        return _encoded(shipment, most_bytes)
    except TooLargeError:
        raise
    except Exception as error:  # EncodeError, or whatever an argument's own methods raise
        rest = sifted(shipment, error)
    return None if rest is None else _encoded(rest, most_bytes)


def _encoded(shipment: Shipment, most_bytes: int) -> Parcel:
    assert shipment.chunk is not None
    encoded = encode_chunk(shipment.chunk, shipment.route.seal)
    if encoded.nbytes > most_bytes:
        count = f"a task of {shipment.calls:,} calls" if shipment.calls > 1 else "one call"
        what = f"{count} of {shipment.route.name}"
        raise TooLargeError(what, encoded.nbytes, most_bytes, ARGUMENT_BYTES_SETTING)
    shipment.route.pace.learn_size(encoded.nbytes, shipment.calls)
    shipment.chunk = None  # the arguments live on in `encoded` only
    shipment.refs = encoded.refs
    return Parcel(shipment, encoded)


def batches(parcels: Sequence[Parcel]) -> list[list[Parcel]]:
    """Parcels of one queue, and of one bound for it, that go in one command each."""
    found: list[list[Parcel]] = []
    for _, run in groupby(parcels, key=_destination):
        batch: list[Parcel] = []
        nbytes = 0
        for parcel in run:
            if not batch or nbytes + parcel.nbytes > MOST_BYTES or len(batch) >= MOST_TASKS:
                batch, nbytes = [], 0
                found.append(batch)
            batch.append(parcel)
            nbytes += parcel.nbytes
    return found


def _destination(parcel: Parcel) -> tuple[Bound, bool]:
    return bound_of(parcel.options), parcel.options.waits_when_full
