"""Hypothesis takes steps of the protocol, in any order, and everything is looked at after each of them."""

from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farpool_common.broker import NewTask
from protocol.cluster import CALLS, QUEUES, REPLY, RETRIES, Cluster, Daemon, PropertyError
from protocol.properties import not_ended

MOST_TASKS, MOST_AT_ONCE = 10, 3
MOST_REPEATS = 2
"""More cancels and repeated enqueues in one example would leave little else in it."""

MOST_ROUNDS = 30
"""Of all daemons, until everything must have ended."""

numbers, chances, queues = st.integers(0, 5), st.booleans(), st.sampled_from(QUEUES)
daemons = st.integers(0, 2)


def picked(found: list[Any], number: int) -> Any:
    """One of those found; rules are asked only where there is one."""
    return found[number % len(found)]


class ProtocolMachine(RuleBasedStateMachine):
    """Rules are steps."""

    def begin(self) -> Cluster:
        """The cluster of one example."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.cluster = self.begin()
        self.tasks: list[tuple[str, NewTask]] = []
        self.poison: set[str] = set()
        self.repeats = self.cancels = 0

    def _daemon(self, number: int) -> Daemon:
        return self.cluster.daemons[number]

    def _of_who_holds(self, number: int) -> Daemon:
        return picked([daemon for daemon in self.cluster.daemons if daemon.held], number)

    def _awake(self) -> list[Daemon]:
        return [daemon for daemon in self.cluster.daemons if daemon.is_awake]

    def _beating(self) -> list[Daemon]:
        """Those to whom a heartbeat can tell anything."""
        held = self.cluster.seen.held
        return [daemon for daemon in self.cluster.daemons if not daemon.is_awake or daemon.held or daemon.name in held]

    def _busy(self) -> list[Daemon]:
        return [daemon for daemon in self._awake() if daemon.held]

    def _holders(self) -> list[str]:
        """Names that hold leases by the server's books and have not lapsed; their daemons may be dead."""
        return sorted(self.cluster.live_hosts & set(self.cluster.seen.held))

    def _rung(self) -> list[Daemon]:
        return [daemon for daemon in self.cluster.daemons if daemon.rung]

    def _any_held(self) -> bool:
        return any(daemon.held for daemon in self.cluster.daemons)

    # --- producers

    @initialize(queue=queues, count=st.integers(1, 3), is_job=chances, is_poison=chances)
    def enqueue_first(self, queue: str, count: int, is_job: bool, is_poison: bool) -> None:
        self._enqueue(queue, count, is_job, is_poison)

    @precondition(lambda self: len(self.tasks) < MOST_TASKS and len(not_ended(self.cluster.seen)) < MOST_AT_ONCE)
    @rule(queue=queues, is_job=chances, is_poison=chances)
    def enqueue(self, queue: str, is_job: bool, is_poison: bool) -> None:
        self._enqueue(queue, 1, is_job, is_poison)

    def _enqueue(self, queue: str, count: int, is_job: bool, is_poison: bool) -> None:
        ids = [f"t{len(self.tasks) + i}" for i in range(count)]
        reply, calls = (None, 1) if is_job else (REPLY, CALLS)
        new = [
            NewTask(id=i, data=b"\x94", description=i, label="m:f", reply=reply, calls=calls, retries=RETRIES)
            for i in ids
        ]
        self.tasks += [(queue, task) for task in new]
        self.poison |= set(ids) if is_poison else set()
        self.cluster.enqueue(queue, new)

    @precondition(lambda self: self.repeats < MOST_REPEATS)
    @rule(number=numbers)
    def enqueue_again(self, number: int) -> None:
        self.repeats += 1
        queue, task = picked(self.tasks, number)
        self.cluster.enqueue(queue, [task])

    @precondition(lambda self: self.cancels < MOST_REPEATS)
    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        self.cancels += 1
        self.cluster.cancel(picked(self.tasks, number)[1].id)

    # --- daemons

    @precondition(lambda self: self._awake() and self.cluster.seen.queues)
    @rule(number=numbers)
    def ring(self, number: int) -> None:
        self.cluster.ring(picked(self._awake(), number), picked(sorted(self.cluster.seen.queues), number))

    @precondition(lambda self: self._rung())
    @rule(number=numbers)
    def undo_doorbells(self, number: int) -> None:
        self.cluster.undo_doorbells(picked(self._rung(), number))

    @precondition(lambda self: self._awake() and (self.cluster.seen.queues or self.cluster.seen.aside))
    @rule(number=numbers, most=st.integers(1, 3), how=st.sampled_from(("heard", "heard", "heard", "lost", "suspended")))
    def claim(self, number: int, most: int, how: str) -> None:
        """Its answer may be lost, and it may come while `rq suspend` holds."""
        if how == "suspended":
            self.cluster.suspend(on=True)
        self.cluster.claim(picked(self._awake(), number), most, is_heard=how != "lost")
        self.cluster.suspend(on=False)

    @precondition(lambda self: self._beating())
    @rule(number=numbers, reconciles=chances)
    def heartbeat(self, number: int, reconciles: bool) -> None:
        daemon = picked(self._beating(), number)
        unknown = self.cluster.heartbeat(daemon)
        if reconciles and unknown:
            self.cluster.disown(daemon, unknown)

    @precondition(_any_held)
    @rule(number=daemons, which=numbers, call=st.integers(0, CALLS - 2))
    def deliver(self, number: int, which: int, call: int) -> None:
        daemon = self._of_who_holds(number)
        task = picked(list(daemon.held.values()), which)
        if task.reply:
            self.cluster.deliver(daemon, task, call)

    @precondition(_any_held)
    @rule(
        number=daemons,
        which=st.one_of(st.none(), numbers),
        status=st.sampled_from(("finished", "failed", "stopped")),
        is_heard=chances,
    )
    def end(self, number: int, which: int | None, status: str, is_heard: bool) -> None:
        """One of the tasks that a daemon holds, or all; whether it is still the holder or not."""
        daemon = self._of_who_holds(number)
        held = list(daemon.held.values())
        self.cluster.end(daemon, held if which is None else [picked(held, which)], status, is_heard=is_heard)

    @precondition(_any_held)
    @rule(number=daemons, which=st.one_of(st.none(), numbers))
    def release(self, number: int, which: int | None) -> None:
        daemon = self._of_who_holds(number)
        held = list(daemon.held.values())
        self.cluster.release(daemon, held if which is None else [picked(held, which)])

    # --- faults

    @precondition(_any_held)
    @rule(number=daemons)
    def die(self, number: int) -> None:
        self.cluster.die(self._of_who_holds(number))

    @precondition(lambda self: self._busy())
    @rule(number=numbers, by=daemons)
    def pause(self, number: int, by: int) -> None:
        """For so long that another daemon takes over all that this one holds."""
        self.cluster.lapse_host(picked(self._busy(), number).name)
        self.cluster.recover(self._daemon(by))

    @precondition(lambda self: self._holders())
    @rule(number=numbers)
    def lapse_host(self, number: int) -> None:
        self.cluster.lapse_host(picked(self._holders(), number))

    @precondition(lambda self: self.cluster.unrenewed())
    @rule(number=numbers)
    def lapse_lease(self, number: int) -> None:
        self.cluster.lapse_lease(picked(self.cluster.unrenewed(), number))

    @precondition(lambda self: self.cluster.has_lapsed or self.cluster.seen.aside)
    @rule(number=daemons)
    def recover(self, number: int) -> None:
        self.cluster.recover(self._daemon(number))

    # --- always, and at the end

    @invariant()
    def everything_is_right(self) -> None:
        self.cluster.check()

    def teardown(self) -> None:
        """Faults are over, but for tasks that kill what runs them: everything ends, once."""
        if not self.cluster.has_failed:
            self._end_everything()

    def _end_everything(self) -> None:
        for _ in range(MOST_ROUNDS):
            left = not_ended(self.cluster.check())
            if not left:
                return self._has_ended()
            self._one_round()
        raise PropertyError(f"live: after {MOST_ROUNDS} rounds there is no end of {dict(left)}")

    def _one_round(self) -> None:
        cluster = self.cluster
        for daemon in cluster.daemons:
            unknown = cluster.heartbeat(daemon)
            if unknown:
                cluster.disown(daemon, unknown)
        living = {daemon.name for daemon in cluster.daemons}
        for name in sorted(cluster.live_hosts - living):
            cluster.lapse_host(name)
        for member in cluster.unrenewed():
            cluster.lapse_lease(member)
        cluster.check()
        for daemon in list(cluster.daemons):
            cluster.recover(daemon)
            cluster.check()
            cluster.claim(daemon, 2)
            cluster.check()
            self._run(daemon)

    def _run(self, daemon: Daemon) -> None:
        if self.poison & set(daemon.runs()):
            self.cluster.die(daemon)
        elif daemon.held:
            self.cluster.end(daemon, list(daemon.held.values()))

    def _has_ended(self) -> None:
        """Nothing is left but what ended and who serves.  A canceled task's id may wait to be dropped."""
        for daemon in self.cluster.daemons:
            self.cluster.claim(daemon, MOST_TASKS)
        seen = self.cluster.check()
        note(f"left: {seen}")
        left = [name for name in ("queues", "aside", "leases", "held", "delivered") if getattr(seen, name)]
        if left:
            raise PropertyError(f"clean: everything has ended and there are still {left}: {seen}")
