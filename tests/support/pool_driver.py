"""Drives a pool as the daemon does, until what a test waits for has happened."""

import math
import os
import time
from multiprocessing.connection import wait
from pathlib import Path

from farpool_common.chunk import RUNNER, Chunk, decode_outcome, encode_chunk
from farpool_common.codec import Serializer
from farpool_common.task import without
from farpool_common.trust import Trust
from farpool_worker.buffers.store import Segment
from farpool_worker.pipe.work import JobRef, Kind, Work
from farpool_worker.pool.events import Crashed, Ended, Progress, TakenBack
from farpool_worker.pool.pool import Pool, PoolOptions

SUPPORT = Path(__file__).parent
DEADLINE_SECONDS = 60.0


class Driver:
    """A started pool; as a context manager it is closed at the end.

    Unless the test says what is long, no call is, so that nothing is taken back unasked.
    """

    def __init__(self, size=2, **options):
        # A BLAS with threads must not be in the template; the daemon sets this for itself.
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        options.setdefault("trust", Trust((SUPPORT,)))
        options.setdefault("long_seconds", math.inf)
        self.pool = Pool(PoolOptions(size, **options))
        self.pool.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.close(kill=True)

    def turn(self):
        """Wait for something to happen, and say what."""
        patience = self.pool.next_tick(time.monotonic())
        ready = wait(self.pool.waitables(), 0.5 if patience is None else min(patience, 0.5))
        return self.pool.handle(ready) + self.pool.tick(time.monotonic())

    def until(self, holds):
        """All events until `holds(events)`."""
        events, end = [], time.monotonic() + DEADLINE_SECONDS
        while not holds(events):
            events += self.turn()
            assert time.monotonic() < end, f"not in time; so far: {events}"
        return events

    def wait_idle(self, count=None):
        """Wait until so many slots are idle (default: all)."""
        wanted = len(self.pool._slots) if count is None else count
        events = self.until(lambda _: len(self.pool.idle()) >= wanted or self.pool.cannot_start)
        assert not self.pool.cannot_start, events
        return events

    def send(self, *works, slot=None):
        """Send works to a slot, by default the first that is idle."""
        self.wait_idle(1) if slot is None else self.until(lambda _: slot in self.pool.idle())
        self.pool.send(self.pool.idle()[0] if slot is None else slot, works)

    def run(self, *works, slot=None):
        """Send works to a child; all events until it is through with them or gone."""
        self.send(*works, slot=slot)
        return self.until(lambda events: ended(events) == len(works) or crashes(events))

    def call(self, function, *rows, **options):
        """Values (or failures) of calls that run in one chunk."""
        return values(self.run(chunk(function, *rows, **options)))


def chunk(function, *rows, id="work", ranges=None, attempt=1, limit=None, **fields):  # noqa: A002
    """Work: calls of one function, a row of arguments each."""
    if "columns" not in fields:
        fields["rows"] = [list(row) for row in rows]
    encoded = encode_chunk(Chunk(function, **fields))
    data = Serializer.dumps([RUNNER, None, [encoded.envelope, []], {}])
    count = len(rows) or len(fields.get("columns", [[]])[0])
    segments = Segment.holding(encoded.buffers)
    return Work(id, data, Kind.CHUNK, ranges or ((0, count),), attempt, limit, segments)


def plain(function, *args, id="plain", limit=None, data=None, **kwargs):  # noqa: A002
    """Work: one call, as an RQ producer writes it."""
    data = data if data is not None else Serializer.dumps((function, None, args, kwargs))
    return Work(id, data, Kind.CALL, ((0, 1),), 1, limit, job=JobRef(id, "default", "e", True))


def ended(events):
    """How many works came to their end."""
    return sum(isinstance(event, Ended) for event in events)


def given_back(events):
    """Works and their calls that no child has begun: taken back, or told of by the child."""
    found = {}
    for event in events:
        if isinstance(event, TakenBack | Ended) and event.unstarted:
            found[event.work_id] = found.get(event.work_id, ()) + event.unstarted
    everything = ((0, 1_000_000),)
    return sorted((work_id, without(everything, without(everything, ranges))) for work_id, ranges in found.items())


def crashes(events):
    """The crashes among events."""
    return [event for event in events if isinstance(event, Crashed)]


def values(events):
    """Call index -> value or Failure, from the progress among events."""
    found = {}
    for event in events:
        if isinstance(event, Progress):
            outcome = decode_outcome(event.envelope, [segment.view for segment in event.segments])
            ((first, stop),) = event.ranges
            assert (outcome.first, outcome.first + len(outcome.values)) == (first, stop)
            assert event.failed == len(outcome.failures)
            for index, value in enumerate(outcome.values, first):
                assert index not in found, "two outcomes of one call"
                found[index] = outcome.failures.get(index, value)
    return found


def wait_for_file(path):
    """The text of a file that another process is about to write."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.002)
    return path.read_text()


def wait_until_gone(*pids):
    """Wait until no such process runs (one that only nobody has reaped counts as gone)."""
    end = time.monotonic() + 10.0
    while alive := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < end, f"still there: {alive}"
        time.sleep(0.01)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # the latter between the two system calls
        return False
