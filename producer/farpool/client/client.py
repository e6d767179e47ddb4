"""What an executor runs: a sender, a listener, and what they share."""

import atexit
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, TypeVar

from farpool.client import moments
from farpool.client.inbox import Inbox
from farpool.client.listener import Listener
from farpool.client.live import LiveSlots
from farpool.client.objects import Keeper
from farpool.client.sender import Limits, Sender
from farpool.client.watch import Watch
from farpool.futures.future import Future
from farpool.options import CallOptions
from farpool.shipping.bundle import Bundle
from farpool.shipping.inputs import Columns
from farpool.shipping.lane import Lane
from farpool.shipping.outbox import Outbox
from farpool.shipping.pace import Pace
from farpool.shipping.pieces import Pieces
from farpool.shipping.shipment import Route
from farpool.shipping.shipments import Shipments
from farpool_common.broker import ProducerBroker
from farpool_common.by_value import Code
from farpool_common.chunk import Initializer
from farpool_common.errors import FarpoolError, InitializerError
from farpool_common.sealing import Sealer
from farpool_common.sizes import MAX_BYTES

LaneType = TypeVar("LaneType", bound=Lane)

TIDY_SECONDS = 0.1
"""How long the end of a client waits for who reads, or tidies just now (guess; tidying takes a round trip)."""


@dataclass(frozen=True)
class ClientSettings:
    """What a client is made with."""

    place: str
    max_workers: int | None = None
    initializer: Initializer | None = None
    argument_bytes: int = MAX_BYTES
    initializer_code: Code | None = None  # where it travels by value


class Client:
    """Two threads, started with the first call, that end when all is done after `close`."""

    def __init__(self, broker: ProducerBroker, settings: ClientSettings) -> None:
        self._broker, self._settings = broker, settings
        self._pid = os.getpid()
        self._gate = threading.Lock()
        self._closing = self._is_finished = False
        self._broken: InitializerError | None = None
        self._threads: list[threading.Thread] = []
        self._paces: dict[str, Pace] = {}
        inbox = self._inbox = Inbox(broker, broker.keys.reply(secrets.token_hex(16)))
        self._numbers = count()
        self._outbox = Outbox()
        self._shipments = Shipments(broker, self._outbox)
        self.live = LiveSlots(broker, settings.max_workers)
        limits = Limits(settings.max_workers, settings.argument_bytes)
        self._sender = Sender(broker, inbox, self._outbox, self._shipments, limits)
        watch = Watch(broker, self._shipments, settings.place)
        hooks = self._after_outcomes, self._break
        self._listener = Listener(broker, inbox, self._outbox, self._shipments, watch, *hooks)
        self._shipments.reading = self._listener

    def route(
        self,
        function: Callable[..., Any],
        way: str | Code,
        options: CallOptions,
        seal: Sealer | None = None,
        keeper: Keeper | None = None,
    ) -> Route:
        """What all calls of this function under these options share; a `keeper` takes over what stays with workers."""
        self.live.want(options.queue)
        name, code = (way.label, way) if isinstance(way, Code) else (way, None)
        pace = self._paces.setdefault(name, Pace())
        slots = partial(self.live.slots, options.queue)
        start, start_code = self._settings.initializer, self._settings.initializer_code
        return Route(function, name, options, start, pace, slots, code, start_code, seal, keeper)

    def open_lane(self, route: Route) -> Lane:
        """A lane for submitted calls."""
        return self.add(Lane(route))

    def add(self, lane: LaneType) -> LaneType:
        """Take submitted calls from this lane, too."""
        self._outbox.add(lane)
        return lane

    def accept(self, lane: Lane, future: Future[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take a submitted call.  Raises RuntimeError after `close`."""
        if lane.is_bounded and threading.current_thread() not in self._threads:
            # Not our own threads, which may run a future's callbacks: it is they who make the room.
            lane.wait_for_room(lambda: self._closing)
        if moments.before_calls:
            moments.see_to(moments.before_calls)
        with self._gate:
            self._check_open()
            lane.append((next(self._numbers), future, args, kwargs))
        if self._sender.is_quiet():
            self._sender.send_now()
        else:
            self._outbox.wake()

    def run(self, pieces: Pieces) -> None:
        """Take tasks from this map until it is over.  Raises RuntimeError after `close`."""
        with self._gate:
            self._check_open()
            pieces.oldest = next(self._numbers)
            self._outbox.add(pieces)

    def send(self, bundle: Bundle) -> None:
        """Take the calls of this bundle.  Raises RuntimeError after `close`."""
        if moments.before_calls:
            moments.see_to(moments.before_calls)
        with self._gate:
            self._check_open()
            bundle.oldest = next(self._numbers)
            self._outbox.add(bundle, rings=False)
        self._sender.send_now(is_lone=False)
        self._shipments.be_watched()

    def extend(self, pieces: Pieces, columns: Columns) -> int:
        """Give a map more inputs; returns how many.  Raises RuntimeError after `close`."""
        if moments.before_calls:
            moments.see_to(moments.before_calls)
        with self._gate:
            self._check_open()
            count = pieces.extend(columns)
        self._outbox.wake()
        return count

    def _break(self, error: InitializerError) -> None:
        """Have all calls fail that have no outcome, and take no more."""
        if self._broken is not None:
            return
        with self._gate:
            self._broken = self._sender.trouble = error
        self._outbox.fail_all(error)
        self._shipments.fail_all(error)

    def _check_open(self) -> None:
        if self._broken is not None:
            raise self._broken.again()
        if self._closing:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if not self._threads:
            self._start()

    def _start(self) -> None:
        # Daemon threads: an interpreter that ends without `close` waits in the hook below, which runs
        # before an embedded server of this process is stopped since it is registered later.
        atexit.register(self._end_with_program)
        for name, run in (("sender", self._send), ("listener", self._listen)):
            thread = threading.Thread(target=run, name=f"farpool-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _send(self) -> None:
        self._sender.run(self.live, self._is_over)
        self._finish()

    def _listen(self) -> None:
        self._listener.run(lambda: self._is_finished)
        self._broker.close()  # it may have connected once more

    def _after_outcomes(self) -> None:
        """Outcomes came: slots are free for what waits, or all is done."""
        if self._closing or self._outbox.has_waiting():
            self._outbox.wake()

    def _is_over(self) -> bool:
        return self._closing and not len(self._shipments) and self._sender.is_idle()

    def _finish(self) -> None:
        """Leave nothing on the server, and end the listener: closing the broker ends its read."""
        with suppress(FarpoolError):  # the stream expires by itself
            if self._inbox.turn.acquire(timeout=TIDY_SECONDS):  # else somebody reads, for what was cancelled
                try:
                    self._inbox.tidy()
                finally:
                    self._inbox.turn.release()
            self._inbox.drop()
        self._is_finished = True  # from here on the listener may close the broker as well
        self._broker.close()
        self._shipments.be_watched()
        self._listener.backoff.hurry()
        atexit.unregister(self._end_with_program)

    def refuse_calls(self) -> None:
        """Take no more calls."""
        with self._gate:
            self._closing = True

    def cancel_waiting(self) -> None:
        """Cancel every call that no worker has begun.  After `refuse_calls`."""
        self._sender.is_cancelling = True
        self._outbox.cancel_all()
        self._shipments.cancel_unstarted()

    def cancel_all(self) -> None:
        """Cancel every call that has no result; running ones are stopped.  After `refuse_calls`."""
        self._sender.is_cancelling = True
        self._outbox.cancel_all()
        self._shipments.cancel_all()
        self._sender.backoff.hurry()

    def _end_with_program(self) -> None:
        """Wait for what was taken, as the standard library does; after Ctrl-C, cancel it instead."""
        try:
            self.close()
        except KeyboardInterrupt:
            self.cancel_all()
            self.close()
            raise

    def disown(self, error: BaseException) -> None:
        """In a forked child: no result arrives here, so what waits for one fails."""
        self._gate, self._closing = threading.Lock(), True
        shipments = self._shipments.all()
        for source in {*self._outbox.sources, *(shipment.source for shipment in shipments)}:
            source.disown(error)
        for shipment in shipments:
            shipment.sink.disown(error)

    def abandon(self) -> None:
        """As `close` without waiting; for the garbage collector, so it takes no lock."""
        self._closing = True
        self._outbox.wake()

    def close(self, wait: bool = True) -> None:
        """Take no more calls, and end when those taken are done; `wait` for that.

        In a process forked from the one that made it, it does nothing: the threads are not here.
        """
        if os.getpid() != self._pid:
            return
        self.refuse_calls()
        threads = list(self._threads)
        if not threads:
            self._broker.close()
        self._outbox.wake()
        self._shipments.be_watched()
        for thread in threads if wait else ():
            if thread is not threading.current_thread():
                thread.join()
