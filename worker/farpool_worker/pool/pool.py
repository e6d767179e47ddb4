"""A fixed number of slots, each with a child that runs what it is sent.

    send -> ChildProcess -> pipe -> child            (one pipe per child, and nothing else shared)
    events <- handle, tick <- pipe, end of process

A child can hurt itself only: its crash costs the call that it was running, and another child takes its
slot.  The pool has never heard of Redis.  One thread calls it.
"""

import atexit
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from farpool_common.trust import Trust
from farpool_worker.host.deadline import Deadline
from farpool_worker.host.oom import OomWatch
from farpool_worker.job_options import JobOptions
from farpool_worker.pipe.slate import TEXT_BYTES
from farpool_worker.pipe.work import Work
from farpool_worker.pool.child_process import ChildProcess, Stage
from farpool_worker.pool.events import Crashed, Event
from farpool_worker.pool.forkserver import Launcher
from farpool_worker.pool.take_back import LONG_SECONDS

FIRST_DELAY, LONGEST_DELAY = 0.1, 10.0
"""Seconds before a child that crashed again is replaced; the first time it is replaced at once (guess)."""

STARTS_TRIED = 3
"""After so many children of each slot ended before they were ready, no slot can start (guess)."""

SPARE_SECONDS = 0.005
"""A child that is idle for so long has nothing to do: what is ready would have reached it by then (guess)."""

LEAVE_SECONDS = 5.0
"""How long a child that was told to quit may take for its exit handlers (guess)."""


@dataclass(frozen=True)
class PoolOptions:
    """`grace_seconds` lie between the exception that tells a task of its limit and the kill;
    `batch_ms` is how long results may wait for others to travel with; `long_seconds`: see `take_back`."""

    size: int
    trust: Trust
    max_calls_per_child: int | None = None
    grace_seconds: float = 2.0
    batch_ms: float = 2.0
    long_seconds: float = LONG_SECONDS
    max_result_bytes: int = 2 * 1024**3
    start_method: str = "forkserver"  # or "spawn"
    shares_memory: bool = False  # with the template
    jobs: JobOptions = field(default_factory=JobOptions)
    folder: str = ""  # that the pool shares with its producers
    log_bytes: int = TEXT_BYTES  # of what a task writes are kept


def restart_delay(crashes: int) -> float:
    """Seconds before a child is replaced, after so many crashes in a row before this one."""
    return min(FIRST_DELAY * 2 ** (crashes - 1), LONGEST_DELAY) if crashes else 0.0


@dataclass
class _Slot:
    child: ChildProcess | None = None
    start_at: float = 0.0  # when the next child may be started
    crashes: int = 0  # since work last ended well
    false_starts: int = 0  # since a child was last ready


class Pool:
    """Starts, feeds and replaces children.  Nothing here waits, except `start` and `close`."""

    def __init__(self, options: PoolOptions, deadline: Deadline | None = None) -> None:
        """`deadline`: until when children may run without a word of it; then the template kills them."""
        self._options, self._deadline = options, deadline
        self._slots = [_Slot() for _ in range(options.size)]
        self._leaving: dict[ChildProcess, float] = {}
        self._unreported: list[Event] = []
        self._launcher: Launcher | None = None
        self._oom = OomWatch()

    def start(self) -> None:
        """Start the template process and a child for each slot.  Those which fail are tried again by `tick`."""
        rq = ["farpool_worker.rq.errands"] if self._options.jobs.rq else []
        self._launcher = Launcher(self._options.start_method, rq, self._deadline, shares=self._options.shares_memory)
        # Else an end of the program without `close` would wait for children that wait for us.
        atexit.register(self.close, kill=True)
        self._fill(time.monotonic())

    def idle(self) -> list[int]:
        """Slots that can be sent work."""
        return [number for number, slot in enumerate(self._slots) if _is_idle(slot)]

    def is_fresh(self, slot: int) -> bool:
        """Whether an idle slot's child has run nothing yet."""
        child = self._slots[slot].child
        return child is not None and child.calls_ended == 0

    def renew(self, slot: int) -> None:
        """Let the child of an idle slot go, so that a fresh one takes its place."""
        child = self._slots[slot].child
        if child is not None and child.stage is Stage.IDLE:
            self._let_go(self._slots[slot], child, time.monotonic())
            self._fill(time.monotonic())

    @property
    def is_starting(self) -> bool:
        """Whether a slot's child is on its way."""
        return any(slot.child is None or slot.child.stage is Stage.STARTING for slot in self._slots)

    def send(self, slot: int, works: Sequence[Work]) -> None:
        """Give works to an idle slot.  Should its child be gone, they come back in a Crashed."""
        child = self._slots[slot].child
        if child is None or child.stage is not Stage.IDLE:
            raise ValueError(f"slot {slot} is not idle")
        child.send(works)

    def forget(self, object_ids: Sequence[str]) -> None:
        """Have all children let go of stored objects that the host has dropped."""
        for child in self._children() if object_ids else ():
            child.forget(object_ids)

    # --- what happens ----------------------------------------------------------------------------

    def waitables(self) -> list[Any]:
        """What to wait on, with `multiprocessing.connection.wait` or a selector."""
        return [waitable for child in self._children() for waitable in child.waitables()]

    def handle(self, ready: Iterable[Any]) -> list[Event]:
        """What happened behind those waitables that are ready (others among them are ignored)."""
        found = set(ready)
        events: list[Event] = []
        for child in self._children():
            if not found.isdisjoint(child.waitables()):
                events += [self._explained(event) for event in child.poll(found)]
        self._settle(time.monotonic())
        return events

    def tick(self, now: float) -> list[Event]:
        """Kill what is overdue, take back what waits behind long calls, start children where they are missing, and
        look at what tasks have said.

        `now` is `time.monotonic()`.
        """
        for child in self._children():
            child.kill_if_overdue(now, self._options.grace_seconds)
        for child, deadline in self._leaving.items():
            if now >= deadline:
                child.kill(f"did not end within {LEAVE_SECONDS:g} s")
        self._fill(now)
        events, self._unreported = self._unreported, []
        spare_at = self._spare_at()
        for child in self._children():
            events += child.take_back(now, spare_at)
            events += child.heard(now)
        return events

    def next_tick(self, now: float) -> float | None:
        """Seconds until `tick` has something to do; None: not before something happens."""
        if self._unreported:
            return 0.0
        grace = self._options.grace_seconds
        spare_at = self._spare_at()
        looks = [child.next_look(now, grace, spare_at) for child in self._children()]
        looks += [slot.start_at - now for slot in self._slots if slot.child is None and self._launcher]
        looks += [at - now for child, at in self._leaving.items() if child.stage is Stage.LEAVING]
        return max(0.0, min(known)) if (known := [look for look in looks if look is not None]) else None

    @property
    def cannot_start(self) -> bool:
        """Whether children of every slot end again and again before they are ready."""
        return all(slot.false_starts >= STARTS_TRIED for slot in self._slots)

    # --- stopping --------------------------------------------------------------------------------

    def stop_at_next_call(self) -> None:
        """Let children end the calls that they run and give back the others."""
        for child in self._children():
            child.stop_at_next_call()

    def kill(self, work_id: str) -> bool:
        """Kill the children that run calls of a work; it comes back in a Crashed, their other works uncharged.

        False when none runs it.  Where it waits behind others in a child, it is given back within milliseconds.
        """
        were_running = [child.cancel(work_id) for child in self._children() if child.holds(work_id)]
        return any(were_running)

    def holds(self, work_id: str) -> bool:
        """Whether a child was asked to do this work and is not through with it."""
        return any(child.holds(work_id) for child in self._children())

    def kill_busy(self, spared: Iterable[str] = ()) -> None:
        """Kill all children that have work, as if they had crashed, but for those with these works."""
        works = list(spared)
        for child in self._children():
            if child.stage is Stage.BUSY and not any(child.holds(work_id) for work_id in works):
                child.kill("was killed on request")

    @property
    def is_busy(self) -> bool:
        """Whether any child has work."""
        return any(child.stage is Stage.BUSY for child in self._children())

    def pids(self) -> dict[int, int]:
        """Process of each slot that has one."""
        return {number: slot.child.pid for number, slot in enumerate(self._slots) if slot.child is not None}

    def close(self, kill: bool) -> None:
        """End all children and what was started for them.  Without `kill`, they get LEAVE_SECONDS to run
        their exit handlers.  Safe to repeat."""
        launcher, self._launcher = self._launcher, None
        if launcher is None:
            return
        atexit.unregister(self.close)
        children = self._children()
        for child in children:  # all first: they end side by side
            if kill:
                child.kill()
            elif child.stage is not Stage.LEAVING:
                child.leave()
        deadline = time.monotonic() + LEAVE_SECONDS
        for child in children:
            child.wait_until_gone(deadline)
        self._slots = [_Slot() for _ in self._slots]
        self._leaving.clear()
        launcher.close()

    # --- helpers ---------------------------------------------------------------------------------

    def _children(self) -> list[ChildProcess]:
        return [slot.child for slot in self._slots if slot.child is not None] + list(self._leaving)

    def _spare_at(self) -> float | None:
        """From when on a child has nothing to do; None: all have."""
        idle = [child.idle_since for child in self._children() if child.stage is Stage.IDLE]
        return min(idle) + SPARE_SECONDS if idle else None

    def _fill(self, now: float) -> None:
        for number, slot in enumerate(self._slots):
            if slot.child is None and now >= slot.start_at and self._launcher is not None:
                try:
                    fields, long_seconds = self._start_fields(), self._options.long_seconds
                    slot.child = ChildProcess(number, self._launcher, fields, long_seconds)
                except (OSError, EOFError) as error:
                    slot.false_starts += 1
                    self._note_crash(slot, now)
                    self._unreported.append(Crashed(number, 0, 0, f"could not be started: {error!r}"))

    def _start_fields(self) -> list[Any]:
        options, trust = self._options, self._options.trust
        roots = [str(root) for root in trust.roots]
        names = [roots, list(trust.prefixes), trust.everything]
        manners = [options.batch_ms / 1000, options.max_result_bytes, options.folder, options.log_bytes]
        return ["start", names, manners, options.jobs.fields()]

    def _settle(self, now: float) -> None:
        """Draw the consequences: free the slots of children that are gone, let those go that have done enough."""
        for slot in self._slots:
            child = slot.child
            if child is None:
                continue
            if child.stage is Stage.GONE:
                slot.child = None
                slot.false_starts += not child.was_ready
                slot.crashes *= child.calls_ended == 0
                self._note_crash(slot, now)
            elif child.stage is Stage.IDLE:
                slot.false_starts = 0
                self._let_go_when_done(slot, child, now)
        self._leaving = {child: at for child, at in self._leaving.items() if child.stage is not Stage.GONE}

    def _note_crash(self, slot: _Slot, now: float) -> None:
        slot.start_at = now + restart_delay(slot.crashes)
        slot.crashes += 1

    def _let_go_when_done(self, slot: _Slot, child: ChildProcess, now: float) -> None:
        most = self._options.max_calls_per_child
        if most is not None and child.calls_ended >= most:
            self._let_go(slot, child, now)

    def _let_go(self, slot: _Slot, child: ChildProcess, now: float) -> None:
        child.leave()
        self._leaving[child] = now + LEAVE_SECONDS
        slot.child, slot.start_at = None, now

    def _explained(self, event: Event) -> Event:
        """Say when a child was killed for want of memory."""
        if isinstance(event, Crashed) and event.exitcode == -signal.SIGKILL and not event.timed_out:
            memory = self._oom.explain()
            if memory is not None:
                return replace(event, reason=f"was killed by signal 9 ({memory})")
        return event


def _is_idle(slot: _Slot) -> bool:
    return slot.child is not None and slot.child.stage is Stage.IDLE
