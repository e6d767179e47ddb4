"""What is aimed at, and what was reached, by the records that are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.systems import PEERS
from bench.records import Record, Spread, figures, load, ratios, seconds_each, spread

OURS, POOL, RAW = "farpool", "ProcessPoolExecutor(2)", "redis-py SET + GET"
HUEY = PEERS["huey"].title
BEST_QUEUE = "the best queue"
QUEUES = {peer.title for peer in PEERS.values() if peer.uses_server}


@dataclass(frozen=True)
class Target:
    """One bound on one figure of a contender, against the same figure of a baseline of the same run."""

    workload: str
    file: str
    bound: float
    baseline: str
    contender: str = OURS
    figure: str = "speed"
    """"speed" and "time" are made of seconds per task; else one of the record's further figures."""

    is_least: bool = True
    """Whether the bound is the least that is wanted, and not the most."""

    @property
    def wanted(self) -> str:
        sign = "≥" if self.is_least else "≤"
        return f"{self.figure} {sign} {self.bound:g}" + (f" × {self.baseline}" if self.baseline else "")

    def reached(self, folder: Path) -> Spread | None:
        """Round by round; None while it is not measured."""
        record = load(folder / f"{self.file}.json")
        baseline = _baseline(record, self.baseline) if record else None
        if record is None or baseline is None or self.contender not in record["runs"]:
            return None
        found = _values(record, self.contender, baseline, self.figure)
        return spread(found) if found else None

    def is_met(self, value: Spread) -> bool:
        return value.median >= self.bound if self.is_least else value.median <= self.bound


def most(workload: str, file: str, bound: float, baseline: str, figure: str, contender: str = OURS) -> Target:
    """A target whose figure shall be small."""
    return Target(workload, file, bound, baseline, contender, figure, is_least=False)


TARGETS = (
    Target("W1 no-op submits", "w1", 2.0, POOL),
    Target("W1 no-op submits", "w1", 4.0, BEST_QUEUE),
    most("W2 latency", "w2", 1.2, HUEY, "p50 ms"),
    most("W2 latency", "w2", 1.0, HUEY, "p99 ms"),
    Target("W3 map of 1,000,000", "w3", 1.0, POOL),
    Target("W4 NumPy job", "w4", 1.05, POOL),
    *(
        Target(f"W5 arrays of {size}", f"w5-{size.replace(' ', '').lower()}", bound, baseline)
        for size in ("1 MB", "64 MB")
        for bound, baseline in ((0.8, POOL), (1.5, HUEY), (0.7, RAW))
    ),
    Target("W5b arrays of 64 MB on the embedded pool", "w5b-64mb", 3.0, POOL),
    most("W6 1,000,000 queued", "w6", 1.1, "1,000 queued", "claim and finish, server's µs", "1,000,000 queued"),
    most("W7 idle memory", "w7", 1.0, "rq worker-pool -n 2", "PSS MB", "farpool worker -c 2"),
    most("W8 shared array", "w8", 1.2, "joblib, loky", "time", "farpool, auto"),
    Target("W9 8 hosts", "w9", 95, "", "8 hosts", "% of ideal"),
)


def _baseline(record: Record, name: str) -> str | None:
    """A contender of the record; "" where the figure counts as it is."""
    if name != BEST_QUEUE:
        return name if name in record["runs"] or not name else None
    queues = [each for each in record["runs"] if each in QUEUES]
    return min(queues, key=lambda each: spread(seconds_each(record, each)).median) if queues else None


def _values(record: Record, contender: str, baseline: str, figure: str) -> list[float]:
    of_speed: dict[str, Callable[[], list[float]]] = {
        "speed": lambda: ratios(record, contender, baseline),
        "time": lambda: [1 / ratio for ratio in ratios(record, contender, baseline)],
    }
    if figure in of_speed:
        return of_speed[figure]()
    ours = figures(record, contender, figure)
    return ours if not baseline else _quotients(ours, figures(record, baseline, figure))


def _quotients(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]
