"""One task on its way: made from calls, sent, and gone when its last outcome is here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from farpool.futures.origin import Origin
from farpool.options import CallOptions
from farpool.shipping.inputs import folded
from farpool.shipping.pace import Pace
from farpool_common.by_value import Code
from farpool_common.chunk import Chunk, Initializer, Outcome
from farpool_common.codec import Ref, Seal
from farpool_common.ids import new_id
from farpool_common.payload import Part
from farpool_common.progress import TaskProgress
from farpool_common.signing import SigningKey
from farpool_common.stored_results import Ownership


@dataclass(frozen=True, eq=False)
class Route:
    """What all calls of one function under the same options share."""

    function: Callable[..., Any]
    name: str
    options: CallOptions
    initializer: Initializer | None
    pace: Pace
    slots: Callable[[], int]
    code: Code | None = None
    initializer_code: Code | None = None
    seal: Seal | None = None  # how arguments and results travel that only a pickle can describe
    keeper: "Adopts | None" = None  # where results stay with the workers

    @property
    def key(self) -> SigningKey | None:
        """What seals its tasks; None where no function travels by value."""
        code = self.code or self.initializer_code
        return None if code is None else code.key

    def chunk(self, **calls: Any) -> Chunk:
        """A chunk of this function."""
        if columns := calls.get("columns"):
            calls["columns"] = [folded(column) for column in columns]
        code = self.code.body if self.code else b""
        start = self.initializer
        if start is not None and self.initializer_code is not None:
            start = replace(start, code=self.initializer_code.body)
        fields = calls | {"opens": self.seal is not None, "ownership": self.keeper and self.keeper.ownership}
        return Chunk(self.name, limit=self.options.timeout, initializer=start, code=code, **fields)

    def results(self, outcome: Outcome) -> Outcome:
        """The outcome as its calls get it.  Raises DecodeError where results are not described that stayed there."""
        if self.keeper is None:
            return outcome
        places = enumerate(outcome.values, outcome.first)
        adopted = self.keeper.adopted
        return replace(
            outcome, values=[None if index in outcome.failures else adopted(found) for index, found in places]
        )


class Adopts(Protocol):
    """Who takes over results that stay with the workers."""

    @property
    def ownership(self) -> Ownership:
        """Under which name workers store them."""
        ...

    def adopted(self, description: Any) -> Ref[Any]:
        """The reference to a result.  Raises DecodeError."""
        ...


class Sink(Protocol):
    """Where the outcomes of a task go."""

    def link(self, shipment: "Shipment") -> None:
        """The task is about to be sent."""

    def deliver(self, outcome: Outcome, origin: Origin) -> None:
        """Some calls are over.  May come twice for a call; the first time counts."""

    def note(self, call: int, progress: TaskProgress) -> None:
        """A call has said how far it has come."""

    def refuse(self, index: int, error: BaseException) -> None:
        """This call cannot be sent."""

    def fail(self, error: BaseException) -> None:
        """Every call without an outcome fails."""

    def disown(self, error: BaseException) -> None:
        """The same in a forked child, after its source was disowned: locks may be held by threads that are not here."""

    def cancel(self) -> None:
        """Every call without an outcome is cancelled."""


class Source(Protocol):
    """Where tasks come from: submitted calls of one function, or a map."""

    route: Route
    in_flight: set[str]
    due_at: float

    @property
    def oldest(self) -> float:
        """The number of the call that waits for longest; infinite when none waits."""
        ...

    def take(self, now: float) -> "Shipment | None":
        """The next task worth sending now.  When there is none yet, `due_at` says when to ask again."""

    def has_waiting(self) -> bool:
        """True while there are calls that were not taken."""
        ...

    def is_over(self) -> bool:
        """True when nothing will ever come any more."""
        ...

    def cancel(self) -> None:
        """Cancel what was not taken."""

    def fail(self, error: BaseException) -> None:
        """Have what was not taken fail."""

    def disown(self, error: BaseException) -> None:
        """The same in a forked child, where locks may be held by threads that are not here."""


class Reading(Protocol):
    """How outcomes are read, once the task is on its way."""

    def be_watched(self) -> None:
        """Have our own thread read."""

    def read_while(self, is_wanted: Callable[[], bool], timeout: float | None) -> float | None:
        """Read in this thread while an outcome is wanted; what is left of the timeout."""
        ...


class Shipment:
    """One task of one or more calls.  `chunk` is dropped once the server has it."""

    __slots__ = (
        "abandon",
        "ask",
        "asked_at",
        "calls",
        "chunk",
        "delivered",
        "dropped",
        "id",
        "is_ended",
        "looked_at",
        "parts",
        "reading",
        "refs",
        "route",
        "sent_at",
        "sink",
        "source",
        "status",
        "trouble",
    )

    def __init__(self, route: Route, chunk: Chunk, sink: Sink, source: Source, task_id: str = "") -> None:
        self.id = task_id or new_id()
        self.route, self.sink, self.source = route, sink, source
        self.chunk: Chunk | None = chunk
        self.refs: tuple[Ref[Any], ...] = ()  # so that what they stand for stays on the server until the end
        self.calls = len(chunk)
        self.delivered = 0
        self.dropped: set[int] = set()
        self.status: str | None = None
        self.trouble: BaseException | None = None
        self.is_ended = False  # so the server said, though no word of it had come
        self.parts: Sequence[Part] = ()  # where its large arguments are
        self.sent_at: float | None = None  # when the server had it
        self.looked_at = self.asked_at = 0.0
        self.reading: Reading | None = None
        self.abandon: Callable[[Shipment], None] | None = None
        self.ask: Callable[[Shipment], None] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether others may ask the server for its outcome: nothing of it is removed when it was read."""
        return self.route.options.keep is not None

    def drop(self, index: int) -> None:
        """Nobody wants the result of this call.  Once no call is open any more, the task is cancelled."""
        self.dropped.add(index)
        if len(self.dropped) + self.delivered >= self.calls and self.abandon is not None:
            self.abandon(self)

    def be_watched(self) -> None:
        """Somebody wants to be told of an outcome."""
        if self.reading is not None:
            self.reading.be_watched()

    def read_while(self, is_wanted: Callable[[], bool], timeout: float | None) -> float | None:
        """Read outcomes in this thread while one is wanted; what is left of the timeout."""
        return timeout if self.reading is None else self.reading.read_while(is_wanted, timeout)

    def is_started(self) -> bool:
        """Whether a worker has taken the task, as far as the server says."""
        if self.status != "started" and self.ask is not None:
            self.ask(self)
        return self.status == "started"
