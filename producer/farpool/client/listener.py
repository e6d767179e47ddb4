"""Receives outcomes and hands them to the calls that wait for them."""

import logging
import math
import os
from collections.abc import Callable, Sequence
from time import monotonic

from farpool.client import moments
from farpool.client.inbox import Inbox
from farpool.client.watch import Watch
from farpool.futures.origin import Origin, error_of
from farpool.shipping.outbox import Outbox
from farpool.shipping.shipment import Shipment
from farpool.shipping.shipments import Shipments
from farpool_common.backoff import Backoff
from farpool_common.broker import WAITED_OUT, ProducerBroker, Reply, progress_of
from farpool_common.chunk import Initializer, Outcome, decode_outcome
from farpool_common.errors import (
    DecodeError,
    FarpoolError,
    InitializerError,
    RemoteError,
    SpoiledKeyError,
    TaskLostError,
)
from farpool_common.names import class_name
from farpool_common.payload import Part

logger = logging.getLogger("farpool")

BLOCK_MS = 1_000
"""How long one read waits for an outcome; between reads the listener looks after what is missing."""

_INITIALIZER_ERROR = class_name(InitializerError)

LINGER_SECONDS = 1.0
"""After this long the listener reads though nobody has asked it to: a result must not expire unread."""


class Listener:
    """Reads the reply stream: in a thread of its own, or in the thread that waits for the result of a lone call.

    Our thread sleeps until calls are sent in a burst, or somebody looks at a future in another way than by
    waiting for its result.  So a call that is awaited at once costs no hand-over between threads.  Nothing that
    arrives or fails ends the thread.
    """

    def __init__(
        self,
        broker: ProducerBroker,
        inbox: Inbox,
        outbox: Outbox,
        shipments: Shipments,
        watch: Watch,
        on_outcomes: Callable[[], None],
        on_broken: Callable[[InitializerError], None],
    ) -> None:
        """`on_outcomes` is called after each read that brought something, `on_broken` when the executor's own
        initializer has failed."""
        self._broker, self._inbox, self._outbox, self._shipments = broker, inbox, outbox, shipments
        self._watch, self._on_outcomes, self._on_broken = watch, on_outcomes, on_broken
        self._pid = os.getpid()
        self.backoff = Backoff()

    def read_while(self, is_wanted: Callable[[], bool], timeout: float | None) -> float | None:
        """Read here, unless another thread does; returns what is left of the timeout.

        An outage is left to our own thread.  A process forked from ours does not read: it would take from ours.
        """
        if os.getpid() != self._pid or not self._inbox.turn.acquire(blocking=False):
            return timeout
        deadline = None if timeout is None else monotonic() + timeout
        try:
            left = timeout
            while is_wanted() and (left is None or left > 0):
                self._turn(BLOCK_MS if left is None else min(BLOCK_MS, math.ceil(left * 1000)))
                left = None if deadline is None else deadline - monotonic()
        except FarpoolError as error:
            logger.debug("our own thread reads on: %s", error)
        except Exception:  # a bug: say so, and leave the rest to our own thread
            logger.exception("the listener goes on after an error")
        finally:
            self._inbox.turn.release()
            if len(self._shipments):
                self._shipments.be_watched()
        return None if deadline is None else max(0.0, deadline - monotonic())

    def be_watched(self) -> None:
        """Have our own thread read, should nobody do so yet."""
        self._shipments.be_watched()

    def run(self, is_over: Callable[[], bool]) -> None:
        """The thread: receive until `is_over`."""
        while not is_over():
            self._sleep()
            try:
                with self._inbox.turn:
                    while len(self._shipments) and not is_over():
                        self._turn(BLOCK_MS)
                        self.backoff.reset()
                    self._inbox.tidy()
            except WAITED_OUT as error:
                self._wait(error, is_over)
            except Exception:  # a bug: say so, and go on for the sake of all other calls
                logger.exception("the listener goes on after an error")
                self._wait(None, is_over)

    def _turn(self, block_ms: int) -> None:
        """One read, and a look after what is missing."""
        if self._read(block_ms):
            self._on_outcomes()
        self._look_after()

    def _sleep(self) -> None:
        """Until somebody wants us to read; while no task is on its way, the server is left alone."""
        self._shipments.present.wait(LINGER_SECONDS)
        self._shipments.present.clear()
        self._broker.trim()

    def _wait(self, error: Exception | None, is_over: Callable[[], bool]) -> None:
        if is_over():
            return
        if error is not None and not self.backoff.is_on and len(self._shipments):
            logger.warning(
                "%s. %d tasks wait for it; their results are read when it is back.", error, len(self._shipments)
            )
        self.backoff.wait()
        self._shipments.be_watched()

    def _read(self, block_ms: int) -> int:
        """Take in what has arrived.  An outage leaves the rest to the next read."""
        try:
            replies = self._inbox.read(block_ms)
        except SpoiledKeyError as error:
            logger.warning("the reply stream was spoiled and is made anew: %s", error)
            self._inbox.drop()
            return 0
        for reply in replies:
            self._accept(reply)
            self._inbox.note_read(reply.entry_id)
        return len(replies)

    def _look_after(self) -> None:
        """See to tasks without a word for long."""
        now = monotonic()
        self._watch.warn_when_nobody_listens(now)
        looked = self._watch.look(now)
        silent = [shipment for shipment in looked.ended if not self._take_from_stock_worker(shipment)]
        if looked.lost or silent:
            # The end of a task and its last outcome are written together, so whoever has no record by now
            # has its outcome in the stream already, or none will ever come.
            self._inbox.ask_anew()
            while self._read(1):
                pass
            for shipment in looked.lost:
                self._lost(shipment, _lost_error(shipment))
            for shipment in silent:
                self._lost(shipment, _incomplete_error(shipment))

    def _take_from_stock_worker(self, shipment: Shipment) -> bool:
        """RQ's own worker ran the task: it writes to RQ's result stream, not to ours.  False when there is no
        word of its end anywhere, at the second look: it cannot be just on its way any more."""
        try:
            end = self._broker.stock_end(shipment.id)
            if end is None or shipment not in self._shipments:
                was_ended, shipment.is_ended = shipment.is_ended, True
                return not was_ended
            for envelope, buffers in end.outcomes:
                outcome = shipment.route.results(decode_outcome(envelope, buffers, shipment.route.seal))
                shipment.delivered += len(outcome.values)
                shipment.sink.deliver(outcome, Origin(shipment.id, end.host, 1, outcome.pid))
        except (DecodeError, SpoiledKeyError) as error:
            shipment.trouble = error
        else:
            if end.traceback is not None:
                shipment.trouble = RemoteError("rq", f"an RQ worker failed task {shipment.id}", end.traceback)
            self._forget(end.parts, at_once=True)  # a question may be on its way, and take nothing along
        self._end(shipment)
        self._outbox.wake()
        return True

    def _lost(self, shipment: Shipment, error: TaskLostError) -> None:
        if shipment in self._shipments:
            self._shipments.fail(shipment, error)
            self._outbox.wake()

    def _accept(self, reply: Reply) -> None:
        shipment = self._shipments.get(reply.task_id)
        if shipment is not None and reply.progress:
            shipment.status = "started"
            for call, progress in progress_of(reply.progress).items():
                shipment.sink.note(call, progress)
        if shipment is not None and (reply.envelope or reply.parts):
            shipment.status = "started"
            self._deliver(shipment, reply)
        if shipment is None or not shipment.is_kept:
            self._forget(reply.parts)  # before the task is over, after which a shutdown may close the connection
        if shipment is not None and reply.last:
            self._end(shipment)
            # Else it is in doubt whether it was sent, and it may be sent again; or others ask for its end.
            if shipment.sent_at is not None and not shipment.is_kept:
                self._inbox.note_over(shipment.id)

    def _deliver(self, shipment: Shipment, reply: Reply) -> None:
        """Hand over one outcome.  One that cannot be read fails its calls when the task ends."""
        try:
            outcome = decode_outcome(reply.envelope, self._broker.fetch(reply.parts), shipment.route.seal)
            outcome = shipment.route.results(outcome)
            if not 0 <= outcome.first <= outcome.first + len(outcome.values) <= shipment.calls:
                raise DecodeError(f"an outcome speaks of calls that task {shipment.id} does not have")
        except WAITED_OUT:
            raise
        except FarpoolError as error:
            shipment.trouble = error
            return
        self._learn(shipment, outcome, (reply.host, outcome.pid))
        origin = Origin(reply.task_id, reply.host, reply.attempt, outcome.pid)
        if outcome.failures and shipment.route.initializer is not None:
            self._look_for_initializer(shipment.route.initializer, outcome, origin)
        if moments.after_results:
            moments.see_to(moments.after_results)
        shipment.sink.deliver(outcome, origin)

    def _look_for_initializer(self, initializer: Initializer, outcome: Outcome, origin: Origin) -> None:
        failure = outcome.failures.get(outcome.first)  # it fails all calls of a task, and the first says why
        if failure is None or failure.type_name != _INITIALIZER_ERROR:
            return
        error = error_of(failure, origin)
        # A call may have used an executor of its own, whose initializer is no matter of ours.
        if isinstance(error, InitializerError) and error.owner == initializer.owner:
            self._on_broken(error)

    def _learn(self, shipment: Shipment, outcome: Outcome, process: object) -> None:
        calls = len(outcome.values)
        shipment.delivered += calls
        if calls > len(outcome.failures):
            shipment.route.pace.learn(outcome.seconds, calls, process)

    def _end(self, shipment: Shipment) -> None:
        if shipment.trouble is not None or shipment.delivered < shipment.calls:
            shipment.sink.fail(shipment.trouble or _incomplete_error(shipment))
        self._shipments.land(shipment)

    def _forget(self, parts: Sequence[Part], *, at_once: bool = False) -> None:
        try:
            self._inbox.note_taken(parts)
            if at_once:
                self._inbox.tidy()
        except FarpoolError as error:  # they expire by themselves
            logger.debug("buffers were not removed: %s", error)


def _lost_error(shipment: Shipment) -> TaskLostError:
    return TaskLostError(
        f"the server has no record of task {shipment.id} ({shipment.route.name}) any more. Was it flushed, "
        f"restarted without its data (appendonly yes keeps it), or allowed to evict keys (set "
        f"maxmemory-policy noeviction)? `farpool doctor` tells. Submit the call again."
    )


def _incomplete_error(shipment: Shipment) -> TaskLostError:
    return TaskLostError(
        f"task {shipment.id} ({shipment.route.name}) ended without an outcome for this call: what its worker "
        f"wrote was removed from the server before it was read. Submit the call again."
    )
