"""`make fuzz`: a daemon among records, keys and messages that nobody should believe, and what became of each.

python tests/chaos/hostile.py [--count 100000] [--seed N]
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import psutil  # noqa: E402
import redis  # noqa: E402
import tasks  # noqa: E402
from daemons import Daemon, daemons  # noqa: E402
from mutations import KEYS, QUEUE, REPLY, Injected, Mutations  # noqa: E402

from farpool import Executor  # noqa: E402
from farpool.embedded import Server  # noqa: E402
from farpool_common.broker import connect  # noqa: E402
from farpool_common.chunk import decode_outcome  # noqa: E402
from farpool_common.errors import FarpoolError  # noqa: E402

WAVE = 400
"""Injected at once: few enough for the list of quarantined records, which keeps a thousand."""

GOOD_PER_WAVE = 8
MOST_LOG = 20_000
DEADLINE = 60.0
MOST_GROWTH_BYTES = 64 * 1024 * 1024
"""By how much the daemon's own memory may grow after the first tenth (guess)."""

ENDED = {b"finished": "ran", b"failed": "failed", b"stopped": "stopped", b"canceled": "dropped"}
LEFT_TO_RQ = (b"scheduled", b"deferred", b"ready")


@dataclass
class Report:
    """What became of everything.  `complaints` is empty when every promise was kept."""

    seed: int
    injected: int = 0
    messages: int = 0
    good: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    slowest_good: float = 0.0
    first_bytes: int = 0
    peak_bytes: int = 0
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        fates = ", ".join(f"{count:,} {fate}" for fate, count in sorted(self.fates.items()))
        errors = ", ".join(f"{count:,} {name}" for name, count in self.errors.most_common())
        counters = ", ".join(f"{count:,} {name}" for name, count in sorted(self.counted.items()))
        return (
            f"seed {self.seed}: {self.injected:,} injected = {fates}\n"
            f"outcomes of executors' tasks: {errors}\ncounters: {counters}\n"
            f"{self.messages:,} messages; {self.good:,} good tasks, the slowest {self.slowest_good:.2f} s\n"
            f"daemon {self.first_bytes / 1e6:.1f} MB after the first tenth, {self.peak_bytes / 1e6:.1f} MB at most\n"
            + "\n".join(self.complaints)
        )


def fuzz(url: str, folder: Path, seed: int, count: int) -> Report:
    """Inject so many things into a running daemon's world, wave by wave, and account for each."""
    report, canary = Report(seed), folder / "canary"
    options = ("-c", "2", "--accept", "msgpack")
    with daemons(url, folder, "d", options=options) as (daemon,), connect(url) as client, Executor(url) as executor:
        mutations = Mutations(seed, client, "d", str(canary))
        while report.injected < count and not report.complaints:
            _wave(report, client, executor, mutations, min(WAVE, count - report.injected))
            _look_at(report, daemon, count)
        daemon.terminate()
        code = daemon.wait(60)
        if code != 0:
            report.complaints.append(f"the daemon ended with {code}")
        if canary.exists():
            report.complaints.append("code from the wire was run")
        if report.complaints:
            report.complaints.append(daemon.text()[-MOST_LOG:])
    return report


def _wave(report: Report, client: redis.Redis, executor: Executor, mutations: Mutations, count: int) -> None:
    injected, futures, began = [], [], time.monotonic()
    before = _counters(client)
    for number, thing in enumerate(mutations.wave(count)):
        injected.append(thing)
        if number % (WAVE // GOOD_PER_WAVE) == 0:
            futures.append(executor.submit(tasks.square, number))
            mutations.litter()
        if number % 10 == 0:
            mutations.publish()
            report.messages += 1
    for number, future in enumerate(futures):
        expected = (number * (WAVE // GOOD_PER_WAVE)) ** 2
        try:
            found: object = future.result(DEADLINE)
        except Exception as error:
            found = error
        if found != expected:
            record = client.hgetall(KEYS.job(str(future.id)))
            report.complaints.append(f"a good task ended with {found!r}, not {expected}: {record}")
    report.slowest_good = max(report.slowest_good, time.monotonic() - began)
    report.good += len(futures)
    fates = _settled(client, injected)
    report.injected += len(injected)
    report.fates.update(fates.values())
    lost = [thing for thing in injected if fates[thing.id] == "unaccounted"]
    report.complaints += [f"unaccounted: {thing} {client.hgetall(KEYS.job(thing.id.decode()))}" for thing in lost[:5]]
    _judge_counters(report, client, before, fates)
    _judge_replies(report, client)
    _clean(client, injected)


def _settled(client: redis.Redis, injected: Sequence[Injected]) -> dict[bytes, str]:
    """What became of each, once nothing more happens."""
    deadline = time.monotonic() + DEADLINE
    while True:
        fates = {thing.id: fate for thing, fate in zip(injected, _fates(client, injected), strict=True)}
        if "unaccounted" not in fates.values() or time.monotonic() > deadline:
            return fates
        time.sleep(0.02)


def _fates(client: redis.Redis, injected: Sequence[Injected]) -> list[str]:
    listed = {json.loads(entry)["id"] for entry in client.lrange(KEYS.quarantine, 0, -1)}
    pipeline = client.pipeline(transaction=False)
    for thing in injected:
        pipeline.hget(b"rq:job:" + thing.id, "status")
        pipeline.exists(b"rq:results:" + thing.id)
    answers = pipeline.execute(raise_on_error=False)
    seen = zip(injected, answers[::2], answers[1::2], strict=True)
    return [_fate(thing, state, listed, bool(has_run)) for thing, state, has_run in seen]


def _fate(thing: Injected, state: object, listed: set[str], has_run: bool) -> str:
    shown = "".join(chr(c) if (c < 128 and chr(c).isalnum()) or c in b"_-" else "?" for c in thing.id[:200])
    if shown in listed:
        return "quarantined"
    if isinstance(state, Exception) or thing.kind == "id":
        return "unaccounted"
    if state in LEFT_TO_RQ:
        return "left to RQ"
    if thing.what.startswith("repeats_left") and has_run:
        return "repeats"  # as often as the record says
    return "gone" if state is None else ENDED.get(state, "unaccounted")  # type: ignore[call-overload]


def _counters(client: redis.Redis) -> Counter[str]:
    names = ("quarantined", "dropped", "finished", "failed", "by_rq", "stale")
    values = client.hmget(KEYS.counters, names)
    return Counter({name: int(value or 0) for name, value in zip(names, values, strict=True)})


def _judge_counters(report: Report, client: redis.Redis, before: Counter[str], fates: dict[bytes, str]) -> None:
    """What was counted is what was found: nobody is quarantined without an entry, and nothing ends without a count."""
    counted = _counters(client)
    counted.subtract(before)
    report.counted.update(counted)
    listed = client.llen(KEYS.quarantine)
    if counted["quarantined"] != listed:
        report.complaints.append(f"{counted['quarantined']} counted as quarantined, {listed} in the list")


def _judge_replies(report: Report, client: redis.Redis) -> None:
    """Each executor's task that was refused tells its producer so, by a typed error."""
    for _, entry in client.xrange(REPLY):
        try:
            outcome = decode_outcome(entry.get(b"o", b""), [])
        except FarpoolError:
            report.errors["junk in the stream"] += 1
            continue
        for failure in outcome.failures.values():
            report.errors[failure.type_name.rpartition(":")[2]] += 1
        report.errors["values"] += len(outcome.values) - len(outcome.failures)


def _clean(client: redis.Redis, injected: Sequence[Injected]) -> None:
    """So that a hundred thousand of them leave the server as small as one wave does."""
    pipeline = client.pipeline(transaction=False)
    patterns = ("rq:job:{}", "rq:executions:{}", "rq:farpool:done:{}", "rq:results:{}", "rq:job:{}:dependents")
    for thing in injected:
        pipeline.unlink(*(pattern.format(thing.id.decode("utf-8", "replace")) for pattern in patterns))
    pipeline.unlink(KEYS.quarantine, REPLY, KEYS.failed(QUEUE), KEYS.finished(QUEUE), KEYS.intermediate(QUEUE))
    pipeline.unlink(KEYS.doorbell(QUEUE), "rq:worker:nobody")
    pipeline.execute()


def _look_at(report: Report, daemon: Daemon, count: int) -> None:
    if daemon.process.poll() is not None:
        report.complaints.append(f"the daemon ended with {daemon.process.poll()}:\n{daemon.text()[-3000:]}")
        return
    used = psutil.Process(daemon.pid).memory_info().rss
    report.peak_bytes = max(report.peak_bytes, used)
    if report.injected <= max(count // 10, WAVE):
        report.first_bytes = used
    if used > report.first_bytes + MOST_GROWTH_BYTES:
        report.complaints.append(f"the daemon grew from {report.first_bytes:,} to {used:,} bytes")


def main(words: Sequence[str]) -> int:
    """Run, print, and tell by the exit code whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="hostile", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args(words)
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fp") as folder, Server() as server:
        report = fuzz(server.url, Path(folder), options.seed, options.count)
    print(report)
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
