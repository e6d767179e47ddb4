"""Barriers over many hosts: nobody goes on before all have come."""

from collections.abc import Callable, Sequence
from threading import BrokenBarrierError
from typing import Any

from farpool.shared.handle import Shared
from farpool.shared.until import Until
from farpool_common import home
from farpool_common.bells import Horn, Wait
from farpool_common.errors import FunctionNotAllowedError
from farpool_common.names import function_name


class Barrier(Shared):
    """`multiprocessing.Barrier` over hosts.

    `action` is called by the last of the `parties`, before any of them goes on; to travel with the handle it must
    be a function of a module.  `timeout` holds for each `wait` that has none of its own.
    """

    kind = "barrier"
    horns = ("passed",)
    _action: Callable[[], object] | None = None
    _action_name: str | None = None
    _timeout: float | None = None

    def __init__(
        self,
        parties: int,
        action: Callable[[], object] | None = None,
        timeout: float | None = None,
        *,
        name: str | None = None,
        url: str | None = None,
    ) -> None:
        if parties < 1:
            raise ValueError("parties must be > 0")
        self._action, self._timeout = action, timeout
        self._make(name, url, {"parties": parties})

    @property
    def parties(self) -> int:
        """How many must come."""
        return int(self._fields("parties")[0])

    @property
    def n_waiting(self) -> int:
        """How many have come and wait."""
        return int(self._fields("count")[0] or 0)

    @property
    def broken(self) -> bool:
        """Whether a wait has timed out, or somebody has aborted it, and nobody has reset it since."""
        return self._fields("broken")[0] == b"1"

    def wait(self, timeout: float | None = None) -> int:
        """Return when all have come: a number of one's own from 0 to parties - 1.

        Raises threading.BrokenBarrierError when the time is up, and in all others then.
        """
        until = Until(self._timeout if timeout is None else timeout)
        args = [int(self._action is not None or self._action_name is not None)]
        answer = self._run_until("barrier_arrive", args, until, self._until_filling)
        state = answer[0]
        if state in (b"broken", b"busy"):
            if state == b"busy":
                self.abort()
            raise BrokenBarrierError
        index, round_, blown = answer[1:]
        if state == b"act":
            self._act(round_)
        elif state == b"wait":
            self._wait_for_others(round_, blown, until)
        return int(index)

    def reset(self) -> None:
        """Begin anew.  Who waits gets BrokenBarrierError."""
        self._run("barrier_end", "reset", "")

    def abort(self) -> None:
        """Break it: who waits, and who comes later, gets BrokenBarrierError until somebody resets it."""
        self._run("barrier_end", "abort", "")

    def _until_filling(self, answer: list[Any]) -> Wait | None:
        return Horn(self._parts.horns[0], answer[1]) if answer[0] == b"busy" else None

    def _wait_for_others(self, round_: int, blown: int, until: Until) -> None:
        def wait_of(answer: list[Any]) -> Wait | None:
            return Horn(self._parts.horns[0], answer[1]) if answer[0] == b"filling" else None

        answer = self._run_until("barrier_look", [round_], until, wait_of)
        if answer[0] == b"filling":  # the time is up
            answer = self._run("barrier_end", "break", round_)
            if answer[0] == b"over" and not answer[1]:
                return  # the last one came just now
            raise BrokenBarrierError
        if answer[0] == b"failed":
            raise BrokenBarrierError

    def _act(self, round_: int) -> None:
        try:
            self._found_action()()
        except BaseException:
            self._run("barrier_end", "break", round_)
            raise
        answer = self._run("barrier_end", "pass", round_)
        if answer[0] == b"over" and answer[1]:
            raise BrokenBarrierError

    def _found_action(self) -> Callable[[], object]:
        """The function; of a handle that came to a task, by its name, under the worker's trust.

        Raises FunctionNotAllowedError elsewhere: a program calls nothing that a server names.
        """
        if self._action is None:
            here = home.current()
            if here is None or self._action_name is None:
                raise FunctionNotAllowedError(
                    f"{self!r} came from elsewhere, and its action {self._action_name} is not called here because a "
                    f"server names it. Make the barrier with a name and its action where its last party may be."
                )
            self._action = here.function(self._action_name)
        return self._action

    def _details(self) -> list[Any]:
        name = self._action_name if self._action is None else function_name(self._action)
        return [name, self._timeout]

    def _restore(self, details: Sequence[Any]) -> None:
        name, timeout = details
        if not isinstance(name, str | None) or not isinstance(timeout, float | int | None):
            raise TypeError("action or timeout")
        self._action_name, self._timeout = name, timeout

    def __reduce__(self) -> tuple[Any, ...]:
        return _with_action, (*super().__reduce__(), self._action)


def _with_action(make: Callable[..., Any], args: tuple[Any, ...], action: Callable[[], object] | None) -> Any:
    """A barrier from a pickle, which is trusted with its function as well."""
    barrier = make(*args)
    barrier._action = action
    return barrier
