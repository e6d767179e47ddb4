"""What a fault is: one kind of harm to a world under load, at times drawn from its seed."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oracle import Verdict
from world import World


@dataclass(frozen=True)
class Fault:
    """`may_rerun`: whether something that had begun is lost there, so that it has to run again.  `is_once`: one round
    is long enough.  `least`: so many rounds it takes to see all of it.  `world`: where it happens."""

    harm: Callable[[Any], None]
    is_top: bool = False
    may_rerun: bool = True
    has_replica: bool = False
    is_once: bool = False
    least: int = 1
    world: type[World] = World

    @contextmanager
    def new_world(self, name: str, seed: int) -> Iterator[World]:
        """A world in a folder of its own; the path is short, because sockets lie in it."""
        with (
            tempfile.TemporaryDirectory(prefix="fp") as folder,
            self.world(name, seed, Path(folder), has_replica=self.has_replica) as world,
        ):
            yield world

    def rounds(self, most: int) -> int:
        """All of them where it matters most, a fifth elsewhere."""
        return 1 if self.is_once else most if self.is_top else max(self.least, most // 5)

    def is_survived(self, verdict: Verdict) -> bool:
        """Nothing lost, nothing twice, and nothing run again without need."""
        return verdict.is_good and (self.may_rerun or verdict.extra == 0)
