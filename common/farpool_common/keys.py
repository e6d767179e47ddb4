"""Every Redis key that farpool reads or writes, spelled once.

The first group is RQ 3.0's keyspace; the second is farpool's own and lies below `<prefix>:farpool:`.
Lua scripts get the prefix as an argument and spell the same names.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """Builds key names below one prefix (RQ's `RQ_KEY_PREFIX`, by default `rq`)."""

    prefix: str = "rq"

    # RQ's

    @property
    def queues(self) -> str:
        """set: full queue keys."""
        return f"{self.prefix}:queues"

    def queue(self, name: str) -> str:
        """list: ids of waiting tasks, the next one at the left."""
        return f"{self.prefix}:queue:{name}"

    def intermediate(self, name: str) -> str:
        """list: ids that a stock RQ worker has taken and not begun."""
        return f"{self.prefix}:queue:{name}:intermediate"

    def job(self, task_id: str) -> str:
        """hash: the record of a task."""
        return f"{self.prefix}:job:{task_id}"

    def results(self, task_id: str) -> str:
        """stream: results of a task that an RQ producer reads."""
        return f"{self.prefix}:results:{task_id}"

    def started(self, queue: str) -> str:
        """zset: `task:execution`, scored by the end of the lease in seconds."""
        return f"{self.prefix}:wip:{queue}"

    def failed(self, queue: str) -> str:
        """zset: ids of failed tasks, scored by their expiry."""
        return f"{self.prefix}:failed:{queue}"

    def finished(self, queue: str) -> str:
        """zset: ids of finished tasks, scored by their expiry."""
        return f"{self.prefix}:finished:{queue}"

    @property
    def workers(self) -> str:
        """set: keys of all workers."""
        return f"{self.prefix}:workers"

    def workers_of(self, queue: str) -> str:
        """set: keys of the workers that serve a queue."""
        return f"{self.prefix}:workers:{queue}"

    def worker(self, name: str) -> str:
        """hash: what RQ's tools show of a worker."""
        return f"{self.prefix}:worker:{name}"

    def executions(self, worker: str) -> str:
        """set: `task:execution` that a worker holds."""
        return f"{self.prefix}:worker:{worker}:executions"

    def channel(self, worker: str) -> str:
        """pub/sub channel: commands to a worker."""
        return f"{self.prefix}:pubsub:{worker}"

    @property
    def suspended(self) -> str:
        """string: present while `rq suspend` holds."""
        return f"{self.prefix}:suspended"

    # farpool's own

    @property
    def hosts(self) -> str:
        """zset: worker names, scored by the end of their host lease in milliseconds."""
        return f"{self.prefix}:farpool:hosts"

    def host(self, worker: str) -> str:
        """hash: slots, queues and load of one daemon."""
        return f"{self.prefix}:farpool:host:{worker}"

    def doorbell(self, queue: str) -> str:
        """list: ids moved by a blocked doorbell and not yet claimed."""
        return f"{self.prefix}:farpool:doorbell:{queue}"

    def fence(self, task_id: str) -> str:
        """string: touched when a task is taken over; RQ's code watches it while it ends a job."""
        return f"{self.prefix}:farpool:fence:{task_id}"

    def reply(self, producer: str) -> str:
        """stream: outcomes for one executor."""
        return f"{self.prefix}:farpool:reply:{producer}"

    def kept(self, task_id: str) -> str:
        """stream: the outcome of a task that is kept for whoever has its id."""
        return f"{self.prefix}:farpool:kept:{task_id}"

    def done(self, task_id: str) -> str:
        """set: ranges `first-stop` of a task's calls that are already delivered."""
        return f"{self.prefix}:farpool:done:{task_id}"

    def progress(self, task_id: str) -> str:
        """string: how far a task has come, as JSON."""
        return f"{self.prefix}:farpool:progress:{task_id}"

    def output(self, task_id: str) -> str:
        """hash: the end of what a task has written to stdout and stderr, and how many bytes it wrote."""
        return f"{self.prefix}:farpool:output:{task_id}"

    def data(self, owner: str, part: int) -> str:
        """Stem of the string keys that hold one large buffer, in pieces `<stem>:0`, `<stem>:1`, ..."""
        return f"{self.prefix}:farpool:data:{owner}:{part}"

    def object(self, object_id: str) -> str:
        """string: what a stored object consists of."""
        return f"{self.prefix}:farpool:object:{object_id}"

    def object_part(self, object_id: str, part: int) -> str:
        """Stem of the string keys that hold one part of a stored object."""
        return f"{self.prefix}:farpool:object:{object_id}:{part}"

    def owners(self, object_id: str) -> str:
        """set: producers that hold references to a stored object."""
        return f"{self.prefix}:farpool:owners:{object_id}"

    @property
    def quarantine(self) -> str:
        """list: the newest malformed records, as JSON with the reason."""
        return f"{self.prefix}:farpool:quarantine"

    @property
    def counters(self) -> str:
        """hash: how many leases were given, how they ended, and what was dropped, quarantined, refused as stale."""
        return f"{self.prefix}:farpool:counters"

    @property
    def mark(self) -> str:
        """string: written before a wait for durability, so that there is something to wait for."""
        return f"{self.prefix}:farpool:mark"

    def shared(self, part: str, object_id: str) -> str:
        """A key of a shared object: `record` (hash: its kind and settings), or a part with its content or who waits."""
        return f"{self.prefix}:farpool:shared:{part}:{object_id}"

    @property
    def strays(self) -> str:
        """zset: `list id` seen in a doorbell's or an intermediate list, scored by when it was first seen."""
        return f"{self.prefix}:farpool:strays"
