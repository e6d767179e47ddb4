"""The daemon of one host: one main loop that owns every decision.

Each turn waits for something to happen (a child, a doorbell, a signal, a thread), takes it in, sends
results, claims, and hands waiting tasks to idle slots.  Three threads help: `lease` (heartbeats, recovery),
`transfer` (large buffers) and `objects` (stored objects).  They talk to the loop through its wakeup pipe only.
"""

import os
import sys
import time
from contextlib import suppress
from typing import Any

from farpool_common.backoff import Backoff
from farpool_common.broker import WorkerBroker
from farpool_common.errors import ServerError
from farpool_common.keys import Keys
from farpool_worker.buffers.host_objects import HostObjects
from farpool_worker.buffers.shared import SharedMemory
from farpool_worker.commands import Commands
from farpool_worker.fleet.lease import Lease
from farpool_worker.fleet.membership import Membership
from farpool_worker.fleet.presence import Presence
from farpool_worker.fleet.server_watch import ServerWatch
from farpool_worker.host.deadline import Deadline, clock_of
from farpool_worker.host.orphans import reap_orphans
from farpool_worker.log import log
from farpool_worker.maintenance import Maintenance
from farpool_worker.orders import Orders
from farpool_worker.pipe.work import MAINTENANCE
from farpool_worker.poller import Poller
from farpool_worker.pool.events import Settled
from farpool_worker.pool.pool import Pool
from farpool_worker.pool_options import pool_options
from farpool_worker.settings import WorkerSettings
from farpool_worker.signals import StopRequests
from farpool_worker.tasks.claimer import Claimer
from farpool_worker.tasks.dispatch import QUICK_SECONDS, ahead, batches, stuck_seconds, work_of
from farpool_worker.tasks.drain import Drain, Holdings, give_back, send_results, unsaid
from farpool_worker.tasks.intake import Intake
from farpool_worker.tasks.job_ends import JobEnds
from farpool_worker.tasks.ledger import Held, Ledger, Stage
from farpool_worker.tasks.object_fetcher import ObjectFetcher
from farpool_worker.tasks.outbox import Outbox
from farpool_worker.tasks.results import Results
from farpool_worker.tasks.runtimes import Runtimes
from farpool_worker.tasks.telling import Telling
from farpool_worker.tasks.transfer import Transfer
from farpool_worker.threads import Background
from farpool_worker.wakeup import Wakeup

LONGEST_WAIT_SECONDS = 3600.0
"""The system waits for 24 days at most, and calls may have longer limits."""

EXIT_OK, EXIT_UNEXPECTED, EXIT_UNREACHABLE, EXIT_NO_SLOT, EXIT_BURST_FAILED = 0, 1, 69, 70, 75


class Daemon:
    """Runs until it is asked to stop, is idle for too long, or (burst) has emptied its queues."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._keys = Keys(settings.prefix)
        self._broker = self._new_broker()
        self._broker.meanwhile = self._listen_meanwhile
        self._lease_broker = self._new_broker()
        self._ledger, self._runtimes = Ledger(), Runtimes()
        self._wakeup, self._poller = Wakeup(), Poller()
        self._stop_requests = StopRequests(self._wakeup)
        self._background = Background(self._wakeup.ring)
        self._deadline = Deadline.created(clock_of(settings.address.url))
        self._pool = Pool(pool_options(settings), self._deadline)
        self._telling = Telling(self._broker, settings.log_bytes)
        self._outbox = Outbox(self._broker, self._telling.send)
        self._transfer = Transfer.over(self._new_broker(), self._wakeup.ring, SharedMemory(settings.folder))
        has_rq = settings.jobs.rq is not None
        self._jobs = JobEnds(self._ledger, self._outbox, has_rq=has_rq)
        self._objects = HostObjects(settings.object_bytes)
        stored = self._new_broker().objects
        self._fetcher = ObjectFetcher(stored, self._objects, settings.times.sweep, self._wakeup.ring)
        self._results = Results(
            settings.name,
            self._ledger,
            self._outbox,
            self._transfer,
            self._jobs,
            self._runtimes,
            self._telling,
            self._fetcher,
        )
        self._claimer = Claimer(self._broker, waits=not settings.is_burst, strategy=settings.strategy)
        self._intake = Intake(self._broker, self._claimer, self._ledger, self._results, self._objects, has_rq=has_rq)
        self._commands = Commands(self._broker.client, self._keys, settings.name, self._broker.place)
        self._orders = Orders(self._commands, self._claimer, self._intake, self._ledger, self._pool, self._results)
        presence = Presence(settings, self._ledger, self._claimer)
        self._lease = Lease(
            self._lease_broker, self._ledger, settings.times, presence.fields, self._wakeup.ring, self._deadline
        )
        self._membership = Membership(self._broker, self._lease, settings, self._stop_requests)
        self._drain = Drain(settings.drain_seconds, self._stop_requests, self._holdings())
        self._server_watch = ServerWatch(self._broker, allow_eviction=settings.allow_eviction)
        self._backoff, self._retry_at = Backoff(), 0.0
        self._maintenance = Maintenance(settings.jobs.rq)
        self._is_init, self._dispatched_at = os.getpid() == 1, time.monotonic()

    def _new_broker(self) -> WorkerBroker:
        settings = self._settings
        url, name, queues = settings.address.url, settings.name, settings.queues
        return WorkerBroker(url, name, queues, self._keys, settings.border, settings.durability)

    def _holdings(self) -> Holdings:
        return Holdings(
            self._broker, self._pool, self._ledger, self._outbox, self._claimer, self._intake, self._results
        )

    def run(self) -> int:
        """Serve the queues; the exit code tells how it ended.  Raises farpool's errors before it serves."""
        self._stop_requests.install()
        server = self._membership.wait_for_server()
        try:
            self._pool.start()  # before any thread: the template process must be single-threaded
            self._membership.join()
            self._background.start("lease", self._lease.run)
            self._transfer.start(self._background)
            self._background.start("objects", self._fetcher.run)
            if self._settings.with_scheduler:
                self._schedule()
            log.info("%s: %s on %s", self._settings.name, server, ", ".join(self._settings.queues))
            while not self._is_over():
                self._turn()
            return self._exit_code()
        finally:
            self._close()

    def _schedule(self) -> None:
        from farpool_worker.rq.scheduler import Scheduler  # RQ is loaded only where it is used

        scheduler = Scheduler(self._settings.address.url, self._settings.queues, self._keys)
        if self._settings.is_burst:
            scheduler.promote_once()
        else:
            self._background.start("scheduler", scheduler.run)

    @property
    def jobs_ended(self) -> int:
        """How many jobs of RQ producers have run here."""
        return self._jobs.ended

    # --- start and end ---------------------------------------------------------------------------

    def _close(self) -> None:
        self._background.stop.set()
        self._transfer.close()
        self._fetcher.close()
        self._pool.close(kill=len(self._ledger) > 0)
        self._background.close(2.0)
        if len(self._ledger):
            log.warning("%d tasks are left to others, who take them when our lease lapses", len(self._ledger))
        elif self._retry_at <= time.monotonic():
            self._telling.close()
            self._membership.leave()
        self._stop_requests.remove()
        for part in (self._claimer, self._commands, self._broker, self._lease_broker, self._wakeup, self._deadline):
            part.close()

    def _is_over(self) -> bool:
        if self._background.failed is not None:
            log.error("a thread failed: %r", self._background.failed)
            return True
        if self._pool.cannot_start:
            return True
        if self._drain.is_on:
            return self._drain.is_over(time.monotonic())
        if len(self._ledger) or len(self._outbox):
            return False
        if self._allowance() <= 0:
            return True
        if self._settings.is_burst and self._claimer.is_suspended:
            log.warning("suspended in burst mode: jobs may be left in the queues")
            return True
        idle = time.monotonic() - self._active_at()
        limit = self._settings.max_idle_seconds
        is_idle = limit is not None and idle >= limit and self._claimer.is_dry  # slots may not have started yet
        return is_idle or (self._settings.is_burst and self._is_dry())

    def _is_dry(self) -> bool:
        """Whether a burst is over: nothing waits, and RQ's maintenance, which may queue jobs again, has been."""
        maintains = not self._maintenance.has_begun or self._pool.holds(MAINTENANCE.id)
        return self._claimer.is_dry and not maintains

    def _exit_code(self) -> int:
        if self._background.failed is not None:
            return EXIT_UNEXPECTED
        if self._pool.cannot_start:
            log.error("no slot can start; see the messages above")
            return EXIT_NO_SLOT
        if len(self._outbox):
            log.error("the server took no results until the end; others will run those tasks again")
            return EXIT_UNREACHABLE
        if self._settings.is_burst and self._results.failed_calls + self._jobs.failed:
            return EXIT_BURST_FAILED
        return EXIT_OK

    # --- one turn --------------------------------------------------------------------------------

    def _turn(self) -> None:
        ready = self._poller.wait(self._waitables(), self._patience(time.monotonic()))
        if self._wakeup in ready:
            self._wakeup.clear()
        if self._is_init:
            reap_orphans()
        self._mind_deadline()
        for event in self._pool.handle(ready):
            self._results.react(event)
            if isinstance(event, Settled):
                self._claimer.look_again()
        for event in self._pool.tick(time.monotonic()):
            self._results.react(event)
        for moved in self._transfer.moved():
            self._results.moved(moved)
        for fetched in self._fetcher.fetched():
            self._results.brought(fetched)
        self._pool.forget(self._objects.dropped())
        for member in self._lease.lost():
            self._taken_away(member)
        if self._stop_requests.count:
            self._stop()
        self._dispatch()
        self._talk_to_redis(ready)
        self._dispatch()

    def _mind_deadline(self) -> None:
        """While no heartbeat is accepted, nothing runs here: others may be about to take it over."""
        is_silent = self._deadline.has_passed
        if is_silent and not self._results.is_silent:
            log.error("no heartbeat was accepted for %g s: what runs here is killed", self._settings.times.lease)
        self._results.is_silent = is_silent or self._deadline.has_killed
        if is_silent and not self._deadline.is_seen_to:
            self._deadline.note_kill()
            # RQ's code ends a job behind a fence of its own, and waits for the server with the result in hand.
            self._pool.kill_busy(spared=[held.task.id for held in self._ledger.all() if held.is_settling])

    def _waitables(self) -> list[Any]:
        found: list[Any] = [self._wakeup, *self._pool.waitables(), *self._claimer.waitables()]
        if self._commands.is_open:
            found.append(self._commands)
        return found

    def _patience(self, now: float) -> float | None:
        """Seconds that a turn may wait."""
        limits = [self._pool.next_tick(now)]
        if now < self._retry_at:
            limits.append(self._retry_at - now)
        elif self._drain.is_on:
            limits.append(self._drain.patience(now))
        elif self._capacity() > 0:
            limits.append(self._claimer.next_look(now))
        if now >= self._retry_at:
            limits += [self._telling.due_in(now), self._stuck_in(now) if self._could_go() else None]
        if self._settings.max_idle_seconds is not None and self._claimer.is_dry:
            limits.append(max(0.0, self._active_at() + self._settings.max_idle_seconds - now))
        if not self._commands.is_open and now >= self._retry_at:
            limits.append(0.0)
        if self._pool.is_busy and not self._deadline.is_seen_to:
            limits.append(self._deadline.left())
        limits.append(self._maintenance.due_in(now))
        known = [limit for limit in limits if limit is not None]
        return max(0.0, min(*known, LONGEST_WAIT_SECONDS)) if known else None

    def _talk_to_redis(self, ready: list[Any]) -> None:
        """Everything that an outage may interrupt; it is taken up again after a while.

        So is a refusal (a password that is being changed) or a key that somebody spoiled: the daemon waits.
        """
        now = time.monotonic()
        if now < self._retry_at:
            return
        try:
            self._claimer.hear(ready, now)
            if self._intake.take_brought():
                self._dispatch()
            self._orders.hear(ready)
            self._telling.send_if_due(now)
            send_results(self._outbox, self._ledger, self._jobs)
            self._telling.end(self._ledger)
            if self._stuck_in(now) == 0.0:
                give_back(self._broker, self._ledger, self._could_go())
            self._claim(now)
            self._server_watch.look_if_due(now)
            self._backoff.reset()
        except ServerError as error:
            self._wait_out(error)

    def _wait_out(self, error: ServerError) -> None:
        delay = self._backoff.pause_seconds()
        log.warning("%s; trying again in %.1f s", error, delay)
        self._retry_at = time.monotonic() + delay
        self._claimer.reset()
        self._commands.close()

    def _claim(self, now: float) -> None:
        if self._drain.is_on or not self._lease.is_sure:
            return
        capacity = self._capacity()
        self._intake.take(self._claimer.claim(capacity, now))
        surplus = -self._allowance()
        if surplus > 0:  # several doorbells rang at once
            give_back(self._broker, self._ledger, self._could_go()[-surplus:])
        if len(self._outbox):  # what cannot be run has ended already
            send_results(self._outbox, self._ledger, self._jobs)
        if capacity > 0 and self._is_worth_listening():
            self._claimer.listen(now)

    def _is_worth_listening(self) -> bool:
        """While slots have quick tasks only, they are idle before a doorbell could be of use."""
        return bool(self._pool.idle()) or (self._results.task_seconds or 0.0) > QUICK_SECONDS

    def _listen_meanwhile(self) -> None:
        """While the server takes results in, whose answer leads to nothing new: have it ring for the next task."""
        now = time.monotonic()
        if not self._drain.is_on and self._lease.is_sure and self._capacity() > 0 and self._is_worth_listening():
            with suppress(ServerError):  # met again by who listens in turn
                self._claimer.listen(now)

    def _active_at(self) -> float:
        """When something was last claimed or begun."""
        return max(self._intake.taken_at, self._dispatched_at)

    def _capacity(self) -> int:
        """How many more tasks to claim: for idle slots, and a few ahead while tasks are short."""
        waiting = len(self._ledger.in_stage(Stage.READY, Stage.FETCHING))
        room = len(self._pool.idle())
        if self._stuck_in(time.monotonic()) != 0.0:
            room += ahead(self._results.task_seconds, self._settings.slots, self._results.task_bytes)
        return max(0, min(room - waiting, self._allowance()))

    def _allowance(self) -> int:
        """How many jobs may still be taken, before the number that the user set is reached."""
        most = self._settings.max_jobs
        return sys.maxsize if most is None else most - self._jobs.ended - len(self._ledger)

    def _could_go(self) -> list[Held]:
        """Waiting tasks that another host may as well run; not those whose lost calls are counted here."""
        return [held for held in unsaid(self._ledger, self._outbox) if not held.losses]

    def _stuck_in(self, now: float) -> float | None:
        """Seconds until all slots will have been silent for so long that nothing should wait behind them.

        None while a slot is idle: then nothing waits.
        """
        if self._pool.idle():
            return None
        heard_at = max(self._results.heard_at, self._dispatched_at)
        return max(0.0, heard_at + stuck_seconds(self._could_go()) - now)

    def _dispatch(self) -> None:
        idle = self._pool.idle() if self._lease.is_sure else []
        if idle and self._maintenance.is_due(time.monotonic()) and not self._drain.is_on:
            self._pool.send(idle.pop(), [MAINTENANCE])
        ready = self._ledger.ready()
        if self._drain.is_on:  # nothing begins any more, but jobs that have run are ended
            ready = [held for held in ready if held.errand is not None]
        if not idle or not ready:
            return
        for slot, batch in zip(idle, batches(ready, len(idle), self._runtimes), strict=False):
            if batch[0].held.is_suspect and not self._pool.is_fresh(slot):
                if not self._pool.is_starting:
                    self._pool.renew(slot)
                continue
            self._ledger.sent(batch)
            self._pool.send(slot, [work_of(share, self._runtimes) for share in batch])
            self._dispatched_at = time.monotonic()

    def _taken_away(self, member: str) -> None:
        held = self._ledger.get(member.partition(":")[0])
        if held is None or held.task.member != member or held.is_settling or held.stage is Stage.ENDING:
            return  # its finish will be refused, or was accepted just now; or it is ours again, by another lease
        log.warning("task %s was taken away: its lease had lapsed", held.task.id)
        if held.stage is Stage.SENT:
            self._pool.kill(held.task.id)
        self._outbox.drop(held.task.id)
        self._ledger.remove(held)

    def _stop(self) -> None:
        now = time.monotonic()
        try:
            self._drain.advance(now, is_server_there=now >= self._retry_at)
        except ServerError as error:
            self._wait_out(error)
