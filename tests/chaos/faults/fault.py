"""What a fault is: one kind of harm to a world under load, at times drawn from its seed."""

from collections.abc import Callable
from dataclasses import dataclass

from oracle import Verdict
from world import World


@dataclass(frozen=True)
class Fault:
    """`may_rerun`: whether something that had begun is lost there, so that it has to run again.  `is_once`: one round
    is long enough."""

    harm: Callable[[World], None]
    is_top: bool = False
    may_rerun: bool = True
    has_replica: bool = False
    is_once: bool = False

    def is_survived(self, verdict: Verdict) -> bool:
        """Nothing lost, nothing twice, and nothing run again without need."""
        return verdict.is_good and (self.may_rerun or verdict.extra == 0)
