"""What holds for all benchmarks of one command: how the servers keep their data, and where results go."""

from dataclasses import dataclass
from pathlib import Path

import redis

RESULTS = Path(__file__).parent / "results" / "latest"
"""Of whatever was run last; what docs/performance.md is made of lies beside it and is kept in git."""

KEPT = RESULTS.parent / "performance"


@dataclass
class Conditions:
    """Set by the command line before any benchmark runs, then only read."""

    appendonly: bool = False
    """Every server writes an append-only file and syncs it each second, as `appendonly yes` does by itself."""

    results: Path = RESULTS

    def prepare(self, url: str) -> None:
        """Let a server that has just started keep its data as these conditions say."""
        if self.appendonly:
            with redis.Redis.from_url(url) as client:
                client.config_set("appendfsync", "everysec")
                client.config_set("appendonly", "yes")

    def file(self, name: str) -> Path:
        """Where the runs of a workload are kept."""
        return self.results / f"{name}{'-appendonly' if self.appendonly else ''}.json"


CONDITIONS = Conditions()
