"""Hypothesis takes steps of the protocol, in any order, and everything is looked at after each of them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from farpool_common.broker import NewTask, Task
from protocol.cluster import CALLS, QUEUES, REPLY, RETRIES, Cluster, Daemon
from protocol.properties import not_ended

MOST_TASKS, MOST_AT_ONCE = 12, 3
MOST_REPEATS = 2
"""More cancels and repeated enqueues in one example would leave little else in it."""

MOST_ROUNDS = 30
"""Of all daemons, until everything must have ended."""

_Item = TypeVar("_Item")
_Step = Callable[["ProtocolMachine"], None]

STEPS: list[tuple[Callable[["ProtocolMachine"], Any], str]] = []
"""When each step can be taken; the likely ones stand here more than once."""


def step(condition: Callable[["ProtocolMachine"], Any], likely: int = 1) -> Callable[[_Step], _Step]:
    """A step that may be taken while the condition holds."""

    def entered(method: _Step) -> _Step:
        STEPS.extend([(condition, method.__name__)] * likely)
        return method

    return entered


def shown(item: object) -> str:
    """A word for it."""
    match item:
        case Daemon(name=name) | NewTask(id=name) | Task(id=name):
            return name
        case list() | tuple():
            return ", ".join(map(shown, item))
        case _:
            return str(item)


class ProtocolMachine(RuleBasedStateMachine):
    """One rule: Hypothesis' own choice among many leaves most of them out of each example, so little happens in it."""

    def begin(self) -> Cluster:
        """The cluster of one example."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.cluster = self.begin()
        self.tasks: list[tuple[str, NewTask]] = []
        self.poison: set[str] = set()
        self.repeats = self.cancels = 0
        self._data: Any = None

    @rule(data=st.data())
    def any_step(self, data: Any) -> None:
        """Any of those that are possible now."""
        self._data = data
        possible = [name for condition, name in STEPS if condition(self)]
        getattr(self, self._one_of(possible))()

    def _one_of(self, found: Sequence[_Item]) -> _Item:
        """Drawn by its number, for a daemon or a task would be printed with all that it has."""
        item = found[self._data.draw(st.integers(0, len(found) - 1))]
        note(f"  {shown(item)}")
        return item

    @invariant()
    def everything_is_right(self) -> None:
        self.cluster.check()

    # --- who can do what

    def awake(self) -> list[Daemon]:
        return [daemon for daemon in self.cluster.daemons if daemon.is_awake]

    def holding(self) -> list[Daemon]:
        """Those that believe to hold something."""
        return [daemon for daemon in self.cluster.daemons if daemon.held]

    def running(self) -> list[Daemon]:
        return [daemon for daemon in self.holding() if daemon.is_awake]

    def beating(self) -> list[Daemon]:
        """Those to whom a heartbeat can tell anything."""
        held = self.cluster.seen.held
        return [daemon for daemon in self.cluster.daemons if not daemon.is_awake or daemon.held or daemon.name in held]

    def rung(self) -> list[Daemon]:
        return [daemon for daemon in self.cluster.daemons if daemon.rung]

    def rung_awake(self) -> list[Daemon]:
        return [daemon for daemon in self.rung() if daemon.is_awake]

    def hosts(self) -> list[str]:
        """Names that hold leases by the server's books and have not lapsed; their daemons may be dead."""
        return sorted(self.cluster.live_hosts & set(self.cluster.seen.held))

    def waiting(self) -> list[str]:
        return sorted(self.cluster.seen.queues)

    def _some_held(self, daemon: Daemon) -> Sequence[Task]:
        """One of the tasks that a daemon holds, or all."""
        held = list(daemon.held.values())
        return self._one_of([held, *([task] for task in held)])

    # --- producers

    @step(lambda self: len(self.tasks) < MOST_TASKS and len(not_ended(self.cluster.seen)) < MOST_AT_ONCE, likely=2)
    def enqueue(self) -> None:
        queue, count, is_job = self._one_of(QUEUES), self._one_of((1, 2)), self._one_of((False, True))
        ids = [f"t{len(self.tasks) + i}" for i in range(count)]
        reply, calls = (None, 1) if is_job else (REPLY, CALLS)
        new = [
            NewTask(id=i, data=b"\x94", description=i, label="m:f", reply=reply, calls=calls, retries=RETRIES)
            for i in ids
        ]
        self.tasks += [(queue, task) for task in new]
        self.poison |= set(ids) if self._one_of((False, True)) else set()
        self.cluster.enqueue(queue, new)

    @step(lambda self: self.tasks and self.repeats < MOST_REPEATS)
    def enqueue_again(self) -> None:
        self.repeats += 1
        queue, task = self._one_of(self.tasks)
        self.cluster.enqueue(queue, [task])

    @step(lambda self: self.tasks and self.cancels < MOST_REPEATS)
    def cancel(self) -> None:
        self.cancels += 1
        self.cluster.cancel(self._one_of(self.tasks)[1].id)

    # --- daemons

    @step(lambda self: self.awake() and self.waiting())
    def ring(self) -> None:
        self.cluster.ring(self._one_of(self.awake()), self._one_of(self.waiting()))

    @step(lambda self: self.rung())
    def undo_doorbells(self) -> None:
        self.cluster.undo_doorbells(self._one_of(self.rung()))

    @step(lambda self: self.awake() and self.waiting(), likely=3)
    def claim(self) -> None:
        self.cluster.claim(self._one_of(self.awake()), self._one_of((1, 2, 3)))

    @step(lambda self: self.awake() and self.waiting())
    def claim_without_an_answer(self) -> None:
        self.cluster.claim(self._one_of(self.awake()), self._one_of((1, 2)), is_heard=False)

    @step(lambda self: self.rung_awake())
    def claim_what_rang(self) -> None:
        """While `rq suspend` holds, or not."""
        self.cluster.suspend(on=self._one_of((False, True)))
        self.cluster.claim(self._one_of(self.rung_awake()), self._one_of((0, 1)))
        self.cluster.suspend(on=False)

    @step(lambda self: self.beating())
    def heartbeat(self) -> None:
        self.cluster.heartbeat(self._one_of(self.beating()))

    @step(lambda self: self.beating())
    def reconcile(self) -> None:
        daemon = self._one_of(self.beating())
        unknown = self.cluster.heartbeat(daemon)
        if unknown:
            self.cluster.disown(daemon, unknown)

    @step(lambda self: any(task.reply for daemon in self.holding() for task in daemon.held.values()))
    def deliver(self) -> None:
        daemon, task = self._one_of([(d, task) for d in self.holding() for task in d.held.values() if task.reply])
        self.cluster.deliver(daemon, task, self._one_of(range(CALLS - 1)))

    @step(holding, likely=2)
    def end(self) -> None:
        """Whether the daemon is still the holder or not."""
        daemon, status = self._one_of(self.holding()), self._one_of(("finished", "failed", "stopped"))
        self.cluster.end(daemon, self._some_held(daemon), status, is_heard=self._one_of((True, False)))

    @step(holding)
    def release(self) -> None:
        daemon = self._one_of(self.holding())
        self.cluster.release(daemon, self._some_held(daemon))

    # --- faults

    @step(lambda self: self.holding() or self.rung())
    def die(self) -> None:
        self.cluster.die(self._one_of([*self.rung(), *self.holding()]))

    @step(running, likely=2)
    def pause(self) -> None:
        """For so long that another daemon takes over all that this one holds."""
        self.cluster.lapse_host(self._one_of(self.running()).name)
        self.cluster.recover(self._one_of(self.cluster.daemons))

    @step(hosts)
    def lapse_host(self) -> None:
        self.cluster.lapse_host(self._one_of(self.hosts()))

    @step(lambda self: self.cluster.unrenewed())
    def lapse_lease(self) -> None:
        self.cluster.lapse_lease(self._one_of(self.cluster.unrenewed()))

    @step(lambda self: self.cluster.has_lapsed or self.cluster.seen.aside or self.running())
    def recover(self) -> None:
        """Often there is nothing to recover: what the living hold stays theirs."""
        self.cluster.recover(self._one_of(self.cluster.daemons))

    # --- the end

    def teardown(self) -> None:
        """Faults are over, but for tasks that kill what runs them: everything ends, once."""
        if not self.cluster.has_failed:
            self._end_everything()
            self._look_for_leftovers()

    def _end_everything(self) -> None:
        for _ in range(MOST_ROUNDS):
            left = not_ended(self.cluster.check())
            if not left:
                return
            self._one_round()
        self.cluster.violated(f"live: after {MOST_ROUNDS} rounds there is no end of {dict(left)}")

    def _one_round(self) -> None:
        cluster = self.cluster
        for daemon in cluster.daemons:
            unknown = cluster.heartbeat(daemon)
            if unknown:
                cluster.disown(daemon, unknown)
        for name in sorted(cluster.live_hosts - {daemon.name for daemon in cluster.daemons}):
            cluster.lapse_host(name)
        cluster.check()
        for daemon in list(cluster.daemons):
            cluster.recover(daemon)
            cluster.claim(daemon, 2)
            self._run(daemon)
        cluster.check()

    def _run(self, daemon: Daemon) -> None:
        if self.poison & set(daemon.runs()):
            self.cluster.die(daemon)
        elif daemon.held:
            self.cluster.end(daemon, list(daemon.held.values()))

    def _look_for_leftovers(self) -> None:
        """Nothing is left but what ended and who serves; ids of canceled tasks are dropped by a claim."""
        daemon = self.cluster.daemons[0]
        for _ in range(2):  # what a doorbell moved is put back at the second look
            self.cluster.recover(daemon)
        self.cluster.claim(daemon, MOST_TASKS)
        seen = self.cluster.check()
        left = [name for name in ("queues", "aside", "leases", "held", "delivered") if getattr(seen, name)]
        if left:
            self.cluster.violated(f"clean: everything has ended and there are still {left}: {seen}")
