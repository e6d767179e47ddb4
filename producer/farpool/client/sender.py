"""Encodes tasks and hands them to the server, however long that takes."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from farpool.client.inbox import Inbox
from farpool.client.live import LiveSlots
from farpool.options import CallOptions
from farpool.shipping.outbox import MOST_TASKS, Outbox
from farpool.shipping.parcel import Parcel, batches, packed
from farpool.shipping.pressure import FullQueues, bound_of
from farpool.shipping.shipment import Shipment
from farpool.shipping.shipments import Shipments
from farpool_common.backoff import Backoff
from farpool_common.broker import WAITED_OUT, ProducerBroker
from farpool_common.errors import QueueFullError

logger = logging.getLogger("farpool")

QUIET_SECONDS = 0.0001
"""A submit that comes later than this after the last one was sent, with nothing on its way, is no part of
a burst: it is sent at once (guess)."""

MOST_CANCELLATIONS = 1_000


@dataclass(frozen=True)
class Limits:
    """Of what is on its way: tasks at once (None: any number), and bytes of the arguments of one."""

    tasks: int | None
    argument_bytes: int


class Sender:
    """One thread sends; a lone submit may do it itself, under the same lock."""

    def __init__(
        self, broker: ProducerBroker, inbox: Inbox, outbox: Outbox, shipments: Shipments, limits: Limits
    ) -> None:
        self._broker, self._inbox, self._outbox, self._shipments = broker, inbox, outbox, shipments
        self._limits = limits
        self._lock = threading.Lock()
        self._parcels: deque[Parcel] = deque()
        self._sent_at = 0.0
        self._is_lone = False
        self.is_cancelling = False
        """True after the last call when what was not sent is cancelled; set once, by any thread."""
        self.trouble: BaseException | None = None
        """What all calls fail with that were not sent; set once, by any thread."""
        self.backoff = Backoff()
        self._full = FullQueues()

    def is_idle(self) -> bool:
        """True when nothing waits here to be sent or cancelled."""
        with self._lock:
            return not (self._parcels or self._outbox.cancellations or self._outbox.has_waiting())

    def is_quiet(self) -> bool:
        """True when a call submitted now is no part of a burst."""
        return not len(self._shipments) and not self.backoff.is_on and monotonic() - self._sent_at > QUIET_SECONDS

    def send_now(self, *, is_lone: bool = True) -> None:
        """Send from the thread that submits, a lone call or a few tasks; leave it to our thread when that takes longer.

        A hand-over between threads costs up to 5 ms where the one that submits goes on with other Python code.
        """
        if not self._lock.acquire(blocking=False):
            self._outbox.wake()
            return
        self._is_lone = is_lone
        try:
            self._collect()
            if not all(parcel.is_quick(self._broker) for parcel in self._parcels):
                self._outbox.wake()
                return
            self._send()
            if self._parcels:  # their queue is full
                self._outbox.wake()
        except WAITED_OUT:
            self._outbox.wake()
        finally:
            self._is_lone = False
            self._lock.release()

    def run(self, live: LiveSlots, is_over: Callable[[], bool]) -> None:
        """Send what comes until `is_over`."""
        while not is_over():
            self._outbox.wait(monotonic(), self._full.due_at)
            live.refresh()
            self._send_all(is_over)

    def _send_all(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            try:
                with self._lock:
                    self._ask_full_queues()
                    self._collect()
                    more = any(not self._full.holds(parcel.options) for parcel in self._parcels)
                    self._send()
                    self._cancel()
            except WAITED_OUT as error:
                self._wait_for_server(error)
                continue
            except Exception:  # a bug: say so, and go on for the sake of all other calls
                logger.exception("the sender goes on after an error")
                self.backoff.wait()
                continue
            if len(self._shipments):
                self._shipments.be_watched()
            self.backoff.reset()
            if not more:
                return

    def _wait_for_server(self, error: Exception) -> None:
        if not self.backoff.is_on:
            logger.warning("%s. Tasks that wait here: %d; they are sent when it is back.", error, len(self._parcels))
        if self.is_cancelling:  # at the end of a program nobody waits for the server to take them
            self._outbox.cancellations.clear()
        self.backoff.wait()

    def _collect(self) -> None:
        """Encode what is worth sending now, up to the number of tasks that may be on their way."""
        room = MOST_TASKS - len(self._parcels)
        if self._limits.tasks is not None:
            room = min(room, self._limits.tasks - len(self._shipments))
        now = monotonic()
        for shipment in self._outbox.collect(now, room, self._full.holds) if room > 0 else ():
            self._pack(shipment)

    def _ask_full_queues(self) -> None:
        """See which of the full queues that are due have room again.  Raises an outage."""
        now = monotonic()
        for queue, most in self._full.due(now):
            waiting = self._broker.waiting(queue)
            if most is not None and waiting < most:
                self._full.note_room((queue, most), most - waiting)
            else:
                self._full.note_full((queue, most), waiting, now)

    def _pack(self, shipment: Shipment) -> None:
        try:
            parcel = packed(shipment, self._limits.argument_bytes)
        except Exception as error:
            self._shipments.fail(shipment, error)
            return
        if parcel is None:
            self._shipments.land(shipment)
            return
        self._shipments.add(parcel.shipment)
        self._parcels.append(parcel)
        # It was neither in the outbox nor among the shipments a moment ago, when others met their end.
        if self.trouble is not None:
            self._shipments.fail(parcel.shipment, self.trouble)
        elif self.is_cancelling:
            parcel.shipment.sink.cancel()

    def _send(self) -> None:
        """Hand over all parcels but those whose queue is full.  Raises only outages, and may then be called again."""
        held: list[Parcel] = []
        try:
            for batch in batches(self._parcels):
                held += self._left_of([parcel for parcel in batch if parcel.shipment in self._shipments])
                for _ in batch:
                    self._parcels.popleft()
        finally:
            self._parcels.extendleft(reversed(held))
        self._sent_at = monotonic()

    def _left_of(self, parcels: list[Parcel]) -> list[Parcel]:
        """Hand over what goes in one command.  Those that wait for room in their queue come back."""
        if not parcels or self._full.holds(parcels[0].options):
            return parcels
        try:
            return self._enqueue(parcels)
        except WAITED_OUT:
            raise
        except Exception as error:  # refused: waiting would not help
            self._fail(parcels, error)
            return []

    def _enqueue(self, parcels: list[Parcel]) -> list[Parcel]:
        """Send the first of these tasks, as many as their queue has room for; those that must wait come back."""
        options = parcels[0].options
        bound, full = bound_of(options), None
        wanted = parcels[: self._full.room(bound)]
        while wanted:
            try:
                self._hand_over(options, wanted)
                break
            except QueueFullError as error:  # it never says that there is room for all of them
                wanted, full = wanted[: max(0, error.limit - error.size)], error
        left = parcels[len(wanted) :]
        if not left:
            self._full.note_taken(bound)
        elif options.waits_when_full:
            self._full.note_full(bound, full.size if full else 0, monotonic())
        elif full is not None:
            self._fail(left, full)
            return []
        return left

    def _hand_over(self, options: CallOptions, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            parcel.store(self._broker, monotonic())
        tasks = [parcel.task(self._inbox.reply) for parcel in parcels]
        if self._is_lone and self._inbox.turn.acquire(blocking=False):
            try:  # whoever sends a lone call asks for its result next
                question = self._inbox.question() if self._broker.can_ask else None
                self._broker.enqueue(options.queue, tasks, most=options.max_queued, question=question)
            finally:
                self._inbox.turn.release()
        else:
            self._broker.enqueue(options.queue, tasks, most=options.max_queued)
        now = monotonic()
        for parcel in parcels:
            parcel.shipment.sent_at = parcel.shipment.looked_at = now

    def _fail(self, parcels: list[Parcel], error: BaseException) -> None:
        for parcel in parcels:
            self._shipments.fail(parcel.shipment, error)

    def _cancel(self) -> None:
        ids = self._outbox.cancellations
        while ids:
            batch = [ids[index] for index in range(min(len(ids), MOST_CANCELLATIONS))]
            self._broker.cancel(batch)
            for _ in batch:
                ids.popleft()
