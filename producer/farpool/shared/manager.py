"""A manager: makes shared objects that live until it is shut down."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from farpool.shared.arrays import Array
from farpool.shared.barriers import Barrier
from farpool.shared.conditions import Condition
from farpool.shared.dicts import Dict
from farpool.shared.events import Event
from farpool.shared.handle import Shared
from farpool.shared.lists import List
from farpool.shared.locks import Lock, LockLike, RLock
from farpool.shared.namespaces import Namespace
from farpool.shared.queues import JoinableQueue, Queue
from farpool.shared.semaphores import BoundedSemaphore, Semaphore
from farpool.shared.values import Value

S = TypeVar("S", bound=Shared)


class Manager:
    """`multiprocessing.Manager` over hosts: no process of its own, for the server is there already.

    What it makes lives while this process does, until `shutdown` or the end of a `with` block; its handles may be let
    go of meanwhile, also inside other shared objects.  `url` as for Executor.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._made: list[Shared] = []  # keeps what this process owns from expiring

    def start(self) -> None:
        """For the standard library's sake: it has started."""

    def shutdown(self) -> None:
        """Remove everything that it has made.  May be called again."""
        made, self._made = self._made, []
        for each in made:
            each.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def dict(self, first: Any = (), /, **more: Any) -> Dict:
        """A shared dict."""
        made = self._keep(Dict(url=self._url))
        made.update(first, **more)
        return made

    def list(self, first: Iterable[Any] = (), /) -> List:
        """A shared list."""
        return self._keep(List(first, url=self._url))

    def Namespace(self, **first: Any) -> Namespace:  # noqa: N802
        """A shared namespace."""
        made = self._keep(Namespace(url=self._url))
        for attribute, value in first.items():
            setattr(made, attribute, value)
        return made

    def Queue(self, maxsize: int = 0) -> Queue:  # noqa: N802
        """A shared queue."""
        return self._keep(Queue(maxsize, url=self._url))

    def JoinableQueue(self, maxsize: int = 0) -> JoinableQueue:  # noqa: N802
        """A shared queue."""
        return self._keep(JoinableQueue(maxsize, url=self._url))

    def Lock(self) -> Lock:  # noqa: N802
        """A shared lock."""
        return self._keep(Lock(url=self._url))

    def RLock(self) -> RLock:  # noqa: N802
        """A shared lock that its holder may take again."""
        return self._keep(RLock(url=self._url))

    def Semaphore(self, value: int = 1) -> Semaphore:  # noqa: N802
        """A shared semaphore."""
        return self._keep(Semaphore(value, url=self._url))

    def BoundedSemaphore(self, value: int = 1) -> BoundedSemaphore:  # noqa: N802
        """A shared semaphore that never has more permits than at first."""
        return self._keep(BoundedSemaphore(value, url=self._url))

    def Event(self) -> Event:  # noqa: N802
        """A shared event."""
        return self._keep(Event(url=self._url))

    def Condition(self, lock: LockLike | None = None) -> Condition:  # noqa: N802
        """A shared condition."""
        return self._keep(Condition(self.RLock() if lock is None else lock, url=self._url))

    def Barrier(  # noqa: N802
        self, parties: int, action: Callable[[], object] | None = None, timeout: float | None = None
    ) -> Barrier:
        """A shared barrier."""
        return self._keep(Barrier(parties, action, timeout, url=self._url))

    def Value(self, typecode_or_type: Any, value: Any) -> Value:  # noqa: N802
        """A shared value."""
        return self._keep(Value(typecode_or_type, value, lock=self.RLock(), url=self._url))

    def Array(self, typecode_or_type: Any, sequence: Any) -> Array:  # noqa: N802
        """A shared array."""
        return self._keep(Array(typecode_or_type, sequence, lock=self.RLock(), url=self._url))

    def _keep(self, made: S) -> S:
        self._made.append(made)
        return made
