"""One child, seen from the daemon: its process, its pipe, what it holds, and how it ended."""

import os
import signal
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from farpool_common.calls import CALL, IDLE, LAST
from farpool_common.limit import overrun
from farpool_worker.buffers.store import Segment
from farpool_worker.pipe.channel import Channel, Frame, GarbageError, framed
from farpool_worker.pipe.slate import new_slate
from farpool_worker.pipe.work import Work
from farpool_worker.pool.assignment import Assignment
from farpool_worker.pool.events import Crashed, Ended, Event, Progress, TakenBack
from farpool_worker.pool.forkserver import Launcher
from farpool_worker.pool.known_objects import KnownObjects
from farpool_worker.pool.take_back import TakeBack
from farpool_worker.pool.task_listener import SAYINGS, TaskListener

CURSOR_BYTES = (LAST + 1) * 8

ENDING_SECONDS = 1.0
"""How long a child whose pipe has ended may take to end itself, with an exit code that tells why (guess)."""


class Stage(Enum):
    """Where a child is.  LEAVING: told to quit.  DYING: killed or broken, its process not yet gone."""

    STARTING = auto()
    IDLE = auto()
    BUSY = auto()
    LEAVING = auto()
    DYING = auto()
    GONE = auto()


class ChildProcess:
    """Nothing here waits; what happened is read by `poll` when one of `waitables` is ready."""

    def __init__(self, slot: int, launcher: Launcher, start: Sequence[Any], long_seconds: float) -> None:
        """Start a process; `start` are the fields of its first message.  Nothing waits in it behind calls that
        take `long_seconds` more than expected.  Raises OSError or EOFError."""
        self.slot = slot
        cursor, slate = Segment(CURSOR_BYTES), new_slate()
        self._process, connection = launcher.launch(f"farpool-slot-{slot}")
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.stage, self.was_ready = Stage.STARTING, False
        self._channel = Channel(connection, waits=False)
        self._pidfd = _pidfd(self.pid)
        # A spawned child's sentinel stays open as long as something that it started lives.
        spawned = launcher.method == "spawn" and self._pidfd is not None
        self.end: int = self._pidfd if spawned and self._pidfd is not None else self._process.sentinel
        self._cursor = cursor.view.cast("q")
        self._cursor[CALL] = IDLE
        self._assignment = Assignment(self.pid, self._cursor)
        self._take_back = TakeBack(self._cursor, self._assignment, long_seconds)
        self._listener = TaskListener(slate, self._assignment)
        self.idle_since = 0.0
        self._objects = KnownObjects()
        self._reason: str | None = None
        self._timed_out = False
        self._kill_at: float | None = None
        self._canceled: str | None = None  # the work that it was killed for
        self._is_spoiled = False  # what follows garbage in the pipe is not believed
        self._listens = True  # to its pipe; what is left in it is read when the process has ended
        self._write(framed(start, [cursor, slate]))

    # --- what it is asked ------------------------------------------------------------------------

    def send(self, works: Sequence[Work]) -> None:
        """Hand works to an idle child.  If that fails, they come back in its Crashed event."""
        self.stage = Stage.BUSY
        segments = [segment for work in works for segment in work.segments]
        rows = self._assignment.add(works)
        self._take_back.sent(time.monotonic())
        self._write(*self._objects.frames(works), framed(["run", rows], segments))

    def forget(self, object_ids: Iterable[str]) -> None:
        """Let it drop stored objects: now when it is idle, else when it has ended what it does."""
        self._objects.forget(object_ids)
        if self.stage is Stage.IDLE:
            self._tell_of_objects()

    def _tell_of_objects(self) -> None:
        self._write(*self._objects.frames())

    def stop_at_next_call(self) -> None:
        """Let it give back what it has not begun; if it is in a long call, `take_back` takes it."""
        self._take_back.ask(time.monotonic())

    def take_back(self, now: float, spare_at: float | None) -> Sequence[TakenBack]:
        """What waits in it behind a long call.  `spare_at`: since when another child has nothing to do."""
        return self._take_back.look(now, spare_at) if self.stage is Stage.BUSY else ()

    def heard(self, now: float) -> Sequence[Event]:
        """What its task has said since the last look, if one is due."""
        return self._listener.look_if_due(now) if self.stage is not Stage.GONE else ()

    def leave(self) -> None:
        """Let an idle child end."""
        self.stage = Stage.LEAVING
        self._write(framed(["quit"]))

    def kill(self, reason: str | None = None) -> None:
        """End it, and what it started, at once."""
        if self.stage is Stage.GONE:
            return
        self._reason = self._reason or reason
        self.stage, self._kill_at, self._listens = Stage.DYING, None, False
        self._kill_process()
        self._kill_group()

    def cancel(self, work_id: str) -> bool:
        """Kill it if it runs this work; if the work waits behind another, have it given back."""
        running, only = self._assignment.running(), self._assignment.only()
        if (running is not None and running.work.id == work_id) or (only is not None and only.id == work_id):
            self._canceled = work_id
            self.kill("was stopped on request")
            return True
        self.stop_at_next_call()
        return False

    def kill_if_overdue(self, now: float, grace: float) -> None:
        """End it when the running call has outlived its limit and the grace, or its pipe has ended."""
        if self._kill_at is not None and now >= self._kill_at:
            self.kill("closed its pipe")
        running = self._assignment.running() if self._assignment.has_limits() else None
        allowed = None if running is None else running.allowed_seconds
        if running is None or allowed is None or self.stage is not Stage.BUSY:
            return
        ran = now - running.since
        if ran > allowed + grace:
            self._timed_out = True
            self.kill(overrun(ran, running.work.limit or 0.0))

    # --- what is known ---------------------------------------------------------------------------

    @property
    def calls_ended(self) -> int:
        """Calls that it has run since it was started."""
        return self._assignment.calls_ended

    def holds(self, work_id: str) -> bool:
        """Whether it was asked to do this work and is not through with it."""
        return self._assignment.holds(work_id)

    def next_look(self, now: float, grace: float, spare_at: float | None) -> float | None:
        """Seconds until `kill_if_overdue`, `take_back` or `heard` could have something to do; None: never."""
        behind = self._take_back.next_look(now, spare_at) if self.stage is Stage.BUSY else None
        looks = (self._overdue_in(now, grace), behind, self._listener.next_look(now))
        return min((look for look in looks if look is not None), default=None)

    def _overdue_in(self, now: float, grace: float) -> float | None:
        if self._kill_at is not None:
            return self._kill_at - now
        if self.stage is not Stage.BUSY or not self._assignment.has_limits():
            return None
        running = self._assignment.running()
        allowed = None if running is None else running.allowed_seconds
        if running is None or allowed is None:
            return grace  # a call with a limit may begin any time
        return max(0.0, running.since + allowed + grace - now)

    def waitables(self) -> list[Any]:
        """What to wait on; tell `poll` which are ready."""
        return [self.end, self._channel] if self._listens else [self.end]

    def poll(self, ready: Container[Any]) -> list[Event]:
        """Everything that has happened since the last time."""
        if self.stage is Stage.GONE:
            return []
        events = self._received()
        if self.end in ready and (exitcode := self._process.exitcode) is not None:
            events += self._received()  # what it wrote between our look and its end
            events += self._ended(exitcode)
        return events

    # --- its end ---------------------------------------------------------------------------------

    def wait_until_gone(self, deadline: float) -> None:
        """Wait for the end of a leaving or killed child; kill it at the deadline.  Only while closing."""
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.exitcode is None:
            self.kill()
            self._process.join()
        self._ended(self._process.exitcode or 0)

    def _received(self) -> list[Event]:
        events: list[Event] = []
        if self._is_spoiled:
            return events
        try:
            for event in self._told():
                events.append(event)  # noqa: PERF402  those before an exception count
        except (EOFError, OSError):
            self._listens = False
            if self.stage not in (Stage.DYING, Stage.LEAVING):
                self.stage, self._kill_at = Stage.DYING, time.monotonic() + ENDING_SECONDS
        except GarbageError as error:
            self._is_spoiled = True
            if self.stage is not Stage.DYING:
                self.kill(f"wrote into farpool's pipe ({error})")
        return events

    def _told(self) -> Iterator[Event]:
        for message in self._channel.messages():
            if message.fields == ["ready"]:
                if self.stage is Stage.STARTING:
                    self.was_ready = True
                    self._become_idle()
                continue
            if message.fields[0] in SAYINGS:
                yield from self._listener.told(message.fields, time.monotonic())
                continue
            event = self._assignment.event(message)
            if event is not None:
                yield event
            if isinstance(event, Progress) and event.is_end:
                yield Ended(event.work_id, ())
            if self.stage is Stage.BUSY and not self._assignment:
                self._become_idle()
                self._tell_of_objects()

    def _become_idle(self) -> None:
        self.stage, self.idle_since = Stage.IDLE, time.monotonic()

    def _ended(self, exitcode: int) -> list[Event]:
        left_in_peace = self.stage is Stage.LEAVING and exitcode == 0
        if not left_in_peace:
            self._kill_group()  # what a task had started
        self.stage = Stage.GONE
        last_words = self._listener.look()
        crashed = self._crashed(exitcode)
        self._close()
        return [] if left_in_peace else [*last_words, crashed]

    def _crashed(self, exitcode: int) -> Crashed:
        running = self._assignment.running()
        lost = self._assignment.lost()
        in_call = None if running is None else (running.work.id, running.call)
        if in_call is None and self._canceled is not None:  # it had not taken the work up yet
            in_call = next(((work_id, left[0][0]) for work_id, left in lost if work_id == self._canceled), None)
        return Crashed(
            slot=self.slot,
            pid=self.pid,
            exitcode=exitcode,
            reason=self._reason or _reason(exitcode),
            running=in_call,
            lost=lost,
            timed_out=self._timed_out,
            preparing=running is not None and running.preparing,
        )

    def _close(self) -> None:
        self._channel.close()
        self._process.join()
        self._process.close()
        if self._pidfd is not None:
            os.close(self._pidfd)

    # --- helpers ---------------------------------------------------------------------------------

    def _write(self, *frames: Frame) -> None:
        try:
            self._channel.write(frames)
        except OSError:  # gone, or stopped with a full pipe
            self.kill()

    def _kill_process(self) -> None:
        with suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            elif self._process.exitcode is None:
                os.kill(self.pid, signal.SIGKILL)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _pidfd(pid: int) -> int | None:
    """A handle that cannot come to mean another process; None where the system has none."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _reason(exitcode: int) -> str:
    if exitcode >= 0:
        return f"exited with code {exitcode}"
    try:
        return f"was killed by signal {-exitcode} ({signal.Signals(-exitcode).name})"
    except ValueError:
        return f"was killed by signal {-exitcode}"
