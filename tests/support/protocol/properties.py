"""What must be true of the keyspace after every step, whatever the steps were.

The names are those of the model (docs/model/README.md); `books` and `clean` are about what the model leaves out.
Whether a task is `live` shows only at the end: see the machine.
"""

from collections.abc import Iterable, Iterator, Mapping

from farpool_common.broker import Balance
from protocol.reference import ENDED
from protocol.seen import Seen

PROPERTIES = ("safe", "kept", "alone", "live", "books", "clean")


def broken(seen: Seen, runs: Iterable[str]) -> list[str]:
    """All that is wrong, each with the property's name before it.  `runs`: ids of what runs anywhere, one by one."""
    return [*_safe(seen), *_kept(seen), *_alone(runs), *_books(seen), *_clean(seen)]


def _safe(seen: Seen) -> Iterator[str]:
    """At most one result, in at most one place.  The id of a canceled task waits for the next claim to drop it."""
    for task_id, task in seen.tasks.items():
        places, results = seen.places(task_id), seen.told(task_id)
        if len(results) > 1:
            yield f"safe: {task_id} has {len(results)} results: {results}"
        if len(places) > 1:
            yield f"safe: {task_id} is in {len(places)} places: {places}"
        if places and task.status in ENDED - {"canceled"}:
            yield f"safe: {task_id} has ended and is in {places}"


def _kept(seen: Seen) -> Iterator[str]:
    """What exists is where its status says."""
    for task_id, task in seen.tasks.items():
        places = seen.places(task_id)
        if task.status not in ENDED and not places:
            yield f"kept: {task_id} is {task.status} and nowhere"
        if places and task.status == "queued" and ":" in places[0]:
            yield f"kept: {task_id} is queued and leased"
        if places and task.status == "started" and ":" not in places[0]:
            yield f"kept: {task_id} is started and waits in {places}"
        if task.status in ENDED - {"canceled"} and not seen.told(task_id):
            yield f"kept: {task_id} is {task.status} without a result"


def _alone(runs: Iterable[str]) -> Iterator[str]:
    """Nothing runs twice at once."""
    once = set[str]()
    for task_id in runs:
        if task_id in once:
            yield f"alone: {task_id} runs twice at once"
        once.add(task_id)


def _books(seen: Seen) -> Iterator[str]:
    """Every lease that was given has ended in one way or is held, and what is charged to tasks adds up."""
    counts = seen.counters
    leased = sum(len(members) for name, members in seen.held.items() if name in seen.hosts)
    names = {name: count for name, count in counts.items() if name in Balance.__dataclass_fields__}
    balance = Balance(**names, leased=leased)
    if balance.missing:
        yield f"books: {balance.missing} of {balance} are missing"
    attempts = sum(task.attempts for task in seen.tasks.values())
    if attempts != counts["claimed"] - counts["released"]:
        yield f"books: {attempts} attempts are charged; {balance}"
    abandons = sum(task.abandons for task in seen.tasks.values())
    if abandons != counts["abandoned"]:
        yield f"books: {abandons} abandons are charged; {balance}"


def _clean(seen: Seen) -> Iterator[str]:
    """What a lease brings along goes with it."""
    members = {member for held in seen.held.values() for member in held}
    for name, found in {"held": members, "records": seen.records, "executions": seen.executions}.items():
        if found != set(seen.leases):
            yield f"clean: leases are {sorted(seen.leases)}, {name} are {sorted(found)}"
    if seen.strange:
        yield f"clean: keys that nobody knows: {seen.strange}"
    over = {task_id for task_id in seen.delivered if seen.tasks[task_id].status == "finished"}
    if over:
        yield f"clean: ranges of tasks that have ended are kept: {over}"


def not_ended(seen: Seen) -> Mapping[str, str]:
    """Status of each task that has no end yet."""
    return {task_id: task.status for task_id, task in seen.tasks.items() if task.status not in ENDED}
