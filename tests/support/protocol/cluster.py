"""A server, a producer and daemons without processes: what each knows, step by step.

Each method is one step of the protocol, done by the real broker on the real server and by the reference; their
answers must agree.  To try scripts with a mistake in them, a single property can be watched instead.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from farpool_common.broker import (
    Delivery,
    Finish,
    JobEnd,
    NewTask,
    ProducerBroker,
    Task,
    WorkerBroker,
    register,
)
from farpool_common.keys import Keys
from farpool_common.task import count
from protocol.properties import broken
from protocol.reference import Given, Lease, Reference
from protocol.seen import Seen, look

KEYS = Keys()
QUEUES = ("high", "low")
REPLY = KEYS.reply("me")
RETRIES = 1
"""Abandons that a task survives."""

CALLS = 4
"""Of an executor's task."""

INFO = {"hostname": "h", "pid": 1, "slots": 1, "busy": 0, "queues": ",".join(QUEUES)}


class Mismatch(AssertionError):
    """The server answered or left something else than the transition table says."""


class PropertyError(AssertionError):
    """A property does not hold."""


@dataclass
class Daemon:
    """What a daemon knows.  One that is not awake was not heard in time: nothing runs there until it is."""

    broker: WorkerBroker
    is_awake: bool = True
    held: dict[str, Task] = field(default_factory=dict)
    rung: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.broker.worker

    def runs(self) -> Iterator[str]:
        """Ids of what its children may be running."""
        return (i for i, task in self.held.items() if self.is_awake and task.abandons <= task.retries)


def lease_of(task: Task) -> Lease:
    return task.id, task.execution


def leases(tasks: Sequence[Task]) -> list[Lease]:
    return [lease_of(task) for task in tasks]


def given(task: Task) -> Given:
    """What its daemon knows of a task that it just claimed."""
    return Given(task.id, task.attempt, task.abandons, CALLS - count(task.remaining) if task.reply else 0)


class Cluster:
    """Begins with an empty server.  `daemons` that die are replaced by others with other names.

    `live_hosts`: names whose host lease has not lapsed; their daemons may be dead.  `seen`: the last look.
    `has_failed`: something was wrong already.  `has_lapsed`: there may be something to recover.
    """

    def __init__(
        self, producer: ProducerBroker, brokers: Sequence[WorkerBroker], *, watched: str | None = None
    ) -> None:
        self.producer, self._client = producer, brokers[0].client
        self._client.flushall()
        self._table, self._watched = Reference(QUEUES), watched
        self.live_hosts = set[str]()
        self.has_failed = self.has_lapsed = False
        self._born = self._lapses = 0
        self.daemons = [self._born_daemon(broker) for broker in brokers]
        for daemon in self.daemons:
            self.heartbeat(daemon)
        self.seen = self.check()

    def _born_daemon(self, broker: WorkerBroker) -> Daemon:
        self._born += 1
        broker.worker = f"w{self._born}"
        return Daemon(broker)

    def _agree(self, answer: Any, expected: Callable[[], Any]) -> None:
        """The reference takes the same step, and says the same."""
        if self._watched is None and answer != (right := expected()):
            self._fail(Mismatch(f"the server answers {answer!r}, the table says {right!r}"))

    def violated(self, what: str) -> None:
        """A property, named first, does not hold.  Returns when it is not the one that is watched."""
        if what.startswith(self._watched or ""):
            self._fail(PropertyError(what))

    def _fail(self, error: AssertionError) -> NoReturn:
        self.has_failed = True
        raise error

    def check(self) -> Seen:
        """Look at everything.  Raises Mismatch or PropertyError."""
        self.seen = seen = look(self._client)
        for what in broken(seen, [task_id for daemon in self.daemons for task_id in daemon.runs()]):
            self.violated(what)
        if self._watched is None:
            expected = self._table.seen()
            for name in Seen.__dataclass_fields__:
                found, right = getattr(seen, name), getattr(expected, name)
                if found != right:
                    self._fail(Mismatch(f"{name} are {found!r}, the table says {right!r}"))
        return seen

    # --- producers

    def enqueue(self, queue: str, tasks: Sequence[NewTask]) -> None:
        self.producer.enqueue(queue, tasks)
        self._agree(None, lambda: self._table.enqueue(queue, [task.id for task in tasks]))

    def cancel(self, task_id: str) -> None:
        self.producer.cancel([task_id])
        self._agree(None, lambda: self._table.cancel(task_id))

    def suspend(self, *, on: bool) -> None:
        if on:
            self._client.set(KEYS.suspended, 1)
        else:
            self._client.delete(KEYS.suspended)
        self._table.is_suspended = on

    # --- from the queue to a daemon

    def ring(self, daemon: Daemon, queue: str) -> None:
        """What BLMOVE does for a blocked doorbell."""
        moved: Any = self._client.lmove(KEYS.queue(queue), KEYS.doorbell(queue), "LEFT", "RIGHT")
        daemon.rung.append((queue, moved.decode()))
        self._agree(moved.decode(), lambda: self._table.ring(queue))

    def undo_doorbells(self, daemon: Daemon) -> None:
        daemon.broker.put_back(daemon.rung)
        self._agree(None, lambda: self._table.undo_doorbell(daemon.rung))
        daemon.rung.clear()

    def claim(self, daemon: Daemon, most: int, *, is_heard: bool = True) -> None:
        """`is_heard`: otherwise the answer is lost."""
        claimed = daemon.broker.claim(most, daemon.rung).tasks
        executions = [task.execution for task in claimed]
        self._agree(
            [given(task) for task in claimed],
            lambda: self._table.claim(daemon.name, most, daemon.rung, executions),
        )
        if is_heard:
            daemon.rung.clear()
            daemon.held |= {task.id: task for task in claimed}

    # --- while it is held

    def heartbeat(self, daemon: Daemon) -> frozenset[str]:
        """Returns members that are the daemon's and that it has not heard of."""
        tasks = list(daemon.held.values())
        beat = daemon.broker.heartbeat(tasks, INFO, lease_ms=3_600_000, keep=60, renew_rq=True)
        self._agree((beat.lost, beat.held), lambda: self._table.heartbeat(daemon.name, leases(tasks)))
        if not beat.is_entered:
            register(daemon.broker.client, KEYS, daemon.name, QUEUES, "here")
        daemon.held = {i: task for i, task in daemon.held.items() if task.member not in beat.lost}
        daemon.is_awake = True
        self.live_hosts.add(daemon.name)
        return beat.held - {task.member for task in daemon.held.values()}

    def disown(self, daemon: Daemon, members: Iterable[str]) -> None:
        members = sorted(members)
        released = daemon.broker.disown(members)
        found = [(member.partition(":")[0], member.partition(":")[2]) for member in members]
        self._agree(released, lambda: self._table.release(daemon.name, found))

    def deliver(self, daemon: Daemon, task: Task, call: int) -> None:
        is_own = self._client.zscore(KEYS.started(task.queue), task.member) is not None
        before = self._client.xlen(REPLY)
        (answer,) = daemon.broker.deliver([Delivery(task, b"outcome", (), (call, call + 1))])
        if not is_own and self._client.xlen(REPLY) != before:
            self.violated(f"safe: {daemon.name} delivered for {task.id}, which is not its own")
        self._agree(answer, lambda: self._table.deliver(daemon.name, lease_of(task), f"{call}-{call + 1}"))

    # --- how it ends

    def end(self, daemon: Daemon, tasks: Sequence[Task], status: str = "finished", *, is_heard: bool = True) -> None:
        """Executors' tasks by finish; RQ's jobs by succeed or fail.  What was not heard of is sent again some time."""
        self._finish(daemon, [task for task in tasks if task.reply])
        self._end_jobs(daemon, [task for task in tasks if not task.reply], status)
        for task in tasks:
            if is_heard:
                del daemon.held[task.id]

    def _finish(self, daemon: Daemon, tasks: Sequence[Task]) -> None:
        if tasks:
            answers = daemon.broker.finish([Finish(task, b"outcome") for task in tasks])
            self._agree(answers, lambda: [self._table.finish(daemon.name, lease) > 0 for lease in leases(tasks)])

    def _end_jobs(self, daemon: Daemon, tasks: Sequence[Task], status: str) -> None:
        if not tasks:
            return
        now, is_stopped, table = datetime.now(UTC), status == "stopped", self._table
        if status == "finished":
            answers = daemon.broker.succeed([JobEnd(task, now, result=b"result") for task in tasks])
            self._agree(answers, lambda: [table.succeed(daemon.name, lease) for lease in leases(tasks)])
        else:
            answers = daemon.broker.fail([JobEnd(task, now, error="!", is_stopped=is_stopped) for task in tasks])
            self._agree(answers, lambda: [table.fail(daemon.name, lease, status) for lease in leases(tasks)])

    def release(self, daemon: Daemon, tasks: Sequence[Task]) -> None:
        released = daemon.broker.release(tasks)
        self._agree(released, lambda: self._table.release(daemon.name, leases(tasks)[::-1]))
        for task in tasks:
            del daemon.held[task.id]

    # --- faults, and whoever looks after them

    def die(self, daemon: Daemon) -> None:
        """SIGKILL; another daemon comes in its place."""
        new = self._born_daemon(daemon.broker)
        self.daemons[self.daemons.index(daemon)] = new
        self.heartbeat(new)

    def lapse_host(self, name: str) -> None:
        """Time passes for it: its lease is long over.  A living daemon has killed what it ran."""
        self.has_lapsed = True
        self._lapses += 1  # no two at the same moment: recovery takes them in their order
        self._client.zadd(KEYS.hosts, {name: self._lapses}, xx=True)
        self._table.lapsed.append(name)
        self.live_hosts.discard(name)
        for daemon in self.daemons:
            daemon.is_awake = daemon.is_awake and daemon.name != name

    def unrenewed(self) -> list[str]:
        """Leases, by the last look, that nobody renews: no daemon that is awake knows of them."""
        known = {task.member for daemon in self.daemons if daemon.is_awake for task in daemon.held.values()}
        return sorted(set(self.seen.leases) - known)

    def lapse_lease(self, member: str) -> None:
        """90 s pass without a renewal."""
        self.has_lapsed = True
        for queue in QUEUES:
            self._client.zadd(KEYS.started(queue), {member: 1}, xx=True)
        self._table.lapsed.append(member)

    def recover(self, daemon: Daemon) -> None:
        self.has_lapsed = False
        found = daemon.broker.recover(grace_ms=5000, stray_ms=0)
        self._agree((found.tasks, list(found.dead), found.put_back), self._table.recover)
        self._table.take_order(look(self._client))
