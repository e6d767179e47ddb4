"""The transition table: what each script answers and leaves, said once more in plain Python.

The names of the methods are those of the scripts, and of the steps in docs/model/protocol.pml.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import NamedTuple

from protocol.seen import Record, Seen, Told

ENDED = {"finished", "failed", "stopped", "canceled"}

Lease = tuple[str, str]
"""Task and execution."""


class Given(NamedTuple):
    """What a claim says of a task: how many of its calls need not run again, besides."""

    id: str
    attempt: int
    abandons: int
    delivered: int


class Reference:
    """The server as it should be.  `lapsed`: hosts and members whose lease is over, in the order in which it was."""

    def __init__(self, queues: Sequence[str]) -> None:
        self._names = tuple(queues)
        self._seen = Seen(queues={name: [] for name in queues}, aside={name: [] for name in queues})
        self._strays: set[tuple[str, str]] = set()
        self.lapsed: list[str] = []
        self.is_suspended = False

    def seen(self) -> Seen:
        """The same as `look` should find."""
        found = deepcopy(self._seen)
        found.queues = {name: ids for name, ids in found.queues.items() if ids}
        found.aside = {name: ids for name, ids in found.aside.items() if ids}
        found.held = {name: members for name, members in found.held.items() if members}
        found.results.sort(key=lambda told: told.id)  # each task has a stream of its own
        found.records, found.executions = set(found.leases), set(found.leases)
        found.counters = Counter({name: count for name, count in found.counters.items() if count})
        return found

    # --- producers

    def enqueue(self, queue: str, ids: Iterable[str]) -> None:
        for task_id in ids:
            if task_id not in self._seen.tasks:
                self._seen.tasks[task_id] = Record(queue)
                self._seen.queues[queue].append(task_id)

    def cancel(self, task_id: str) -> None:
        if self._seen.tasks[task_id].status == "queued":
            self._seen.tasks[task_id].status = "canceled"
            self._seen.delivered.pop(task_id, None)

    # --- from the queue to a daemon

    def ring(self, queue: str) -> str:
        """BLMOVE: no script."""
        moved = self._seen.queues[queue].pop(0)
        self._seen.aside[queue].append(moved)
        return moved

    def undo_doorbell(self, rung: Iterable[tuple[str, str]]) -> None:
        for queue, task_id in rung:
            self._from_aside_to_head(queue, task_id)

    def _from_aside_to_head(self, queue: str, task_id: str) -> bool:
        was_there = task_id in self._seen.aside[queue]
        if was_there:
            self._seen.aside[queue].remove(task_id)
            self._seen.queues[queue].insert(0, task_id)
        return was_there

    def claim(self, worker: str, most: int, rung: Iterable[tuple[str, str]], executions: Iterable[str]) -> list[Given]:
        """`executions`: the names that the claim used, in the order of the tasks that it brought."""
        if self.is_suspended:
            self.undo_doorbell(rung)
            return []
        names, found = iter(executions), list[Given]()
        is_over = False
        for queue, task_id in rung:
            if task_id in self._seen.aside[queue]:
                if is_over:
                    self._from_aside_to_head(queue, task_id)
                    continue
                self._seen.aside[queue].remove(task_id)
                is_over = self._claim_one(worker, queue, task_id, names, found)
        limit = most + len(found)
        for queue in self._names:
            while self._seen.queues[queue] and len(found) < limit and not is_over:
                is_over = self._claim_one(worker, queue, self._seen.queues[queue].pop(0), names, found)
        self._seen.counters["claimed"] += len(found)
        return found

    def _claim_one(self, worker: str, queue: str, task_id: str, names: Iterator[str], found: list[Given]) -> bool:
        """True when nothing else may be claimed with it: what was abandoned is claimed alone."""
        task = self._seen.tasks[task_id]
        if task.status in ENDED or task.status == "started":
            self._seen.counters["dropped"] += 1
            return False
        if task.abandons and found:
            self._seen.queues[queue].insert(0, task_id)
            return True
        member = f"{task_id}:{next(names, '?')}"
        task.status, task.worker, task.attempts = "started", worker, task.attempts + 1
        self._seen.leases[member] = queue
        self._seen.held.setdefault(worker, set()).add(member)
        found.append(Given(task_id, task.attempts, task.abandons, len(self._seen.delivered.get(task_id, ()))))
        return task.abandons > 0

    # --- while a daemon holds it

    def deliver(self, worker: str, lease: Lease, span: str) -> bool:
        if ":".join(lease) not in self._seen.leases:
            self._seen.counters["stale"] += 1
            return False
        self._seen.replies.append(Told(lease[0], worker, "part"))
        self._seen.delivered.setdefault(lease[0], set()).add(span)
        return True

    def heartbeat(self, worker: str, leases: Iterable[Lease]) -> tuple[set[str], set[str]]:
        """Members that were taken away, and members that the server says are held."""
        self._seen.hosts.add(worker)
        members = {":".join(lease) for lease in leases}
        self.lapsed = [name for name in self.lapsed if name != worker and name not in members]
        return members - set(self._seen.leases), set(self._seen.held.get(worker, ()))

    # --- how a lease ends

    def finish(self, worker: str, lease: Lease) -> int:
        answer = self._end(worker, lease, "finished", "finished")
        if answer == 1:
            self._seen.replies.append(Told(lease[0], worker, "end"))
            self._seen.delivered.pop(lease[0], None)
        return answer

    def succeed(self, worker: str, lease: Lease) -> int:
        answer = self._end(worker, lease, "finished", "finished")
        if answer == 1:
            self._seen.results.append(Told(lease[0], worker, "result"))
            self._seen.finished.add(lease[0])
        return answer

    def fail(self, worker: str, lease: Lease, status: str) -> int:
        answer = self._end(worker, lease, status, "failed")
        if answer == 1:
            self._seen.results.append(Told(lease[0], worker, "failure"))
            self._seen.failed.add(lease[0])
        return answer

    def _end(self, worker: str, lease: Lease, status: str, counter: str) -> int:
        """1 written, 2 written before by this execution, 0 when the lease is somebody else's."""
        task, member = self._seen.tasks[lease[0]], ":".join(lease)
        if member not in self._seen.leases:
            is_repeated = task.execution == lease[1]
            self._seen.counters["stale"] += not is_repeated
            return 2 if is_repeated else 0
        self._unlease(worker, member)
        task.status, task.execution = status, lease[1]
        self._seen.counters[counter] += 1
        return 1

    def release(self, worker: str, leases: Sequence[Lease]) -> int:
        """The one to run last first."""
        released = 0
        for lease in leases:
            member, task = ":".join(lease), self._seen.tasks[lease[0]]
            queue = self._seen.leases.get(member)
            if queue is None:
                was_held = member in self._seen.held.get(worker, ())
                self._seen.counters["removed"] += was_held
            else:
                task.status, task.worker, task.attempts = "queued", "", task.attempts - 1
                self._seen.queues[queue].insert(0, lease[0])
                released += 1
            self._unlease(worker, member)
        self._seen.counters["released"] += released
        return released

    def _unlease(self, worker: str, member: str) -> None:
        self._seen.leases.pop(member, None)
        self._seen.held.get(worker, set()).discard(member)
        if member in self.lapsed:
            self.lapsed.remove(member)

    def recover(self) -> tuple[int, list[str], int]:
        """Tasks handed back, daemons declared dead, ids put back."""
        members = [name for name in self.lapsed if ":" in name]
        dead = [name for name in self.lapsed if ":" not in name]
        tasks = sum(self._abandon(member) for host in dead for member in sorted(self._seen.held.get(host, ())))
        self._seen.hosts -= set(dead)
        tasks += sum(self._abandon(member) for member in members)
        self.lapsed.clear()
        return tasks, dead, sum(self._put_back_strays(queue) for queue in self._names)

    def _abandon(self, member: str) -> bool:
        queue, task_id = self._seen.leases.get(member), member.partition(":")[0]
        if queue is None:
            return False
        task, waiting = self._seen.tasks[task_id], self._seen.queues[queue]
        self._unlease(task.worker, member)
        task.status, task.worker, task.abandons = "queued", "", task.abandons + 1
        waiting.insert(0 if task.abandons == 1 else len(waiting), task_id)
        self._seen.counters["abandoned"] += 1
        return True

    def _put_back_strays(self, queue: str) -> int:
        """What was there at an earlier look, too."""
        old = [task_id for task_id in self._seen.aside[queue] if (queue, task_id) in self._strays]
        self._strays |= {(queue, task_id) for task_id in self._seen.aside[queue]}
        self._strays -= {(queue, task_id) for task_id in old}
        return sum(self._from_aside_to_head(queue, task_id) for task_id in old)

    def take_order(self, seen: Seen) -> None:
        """A dead daemon's tasks come back in no certain order."""
        for queue, ids in self._seen.queues.items():
            if sorted(ids) == sorted(seen.queues.get(queue, ())):
                ids[:] = seen.queues.get(queue, [])
