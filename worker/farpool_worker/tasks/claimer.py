"""Taking tasks from the queues: at once while there are any, by doorbell when there are none."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

from farpool_common.broker import Claimed, Doorbell, Task, WorkerBroker
from farpool_common.broker.doorbell import WAIT_SECONDS, Ring
from farpool_common.broker.outages import OUTAGES
from farpool_common.errors import ServerError, ServerRefusedError, ServerUnreachableError
from farpool_worker.log import log
from farpool_worker.poller import Poller

MOST_AT_ONCE = 50
"""Tasks in one claim: the server takes 30 to 40 µs for each, and answers nobody else meanwhile."""

SILENCE_SECONDS = 5.0
"""Beyond the time after which the server answers in any case (guess)."""

SPOILED_SECONDS = 5.0
"""How long a queue is left alone whose key is no list, so that it does not keep the others waiting (guess)."""

SUSPENDED_SECONDS = 1.0
"""While `rq suspend` holds, we look this often, as RQ's worker does."""


class Claimer:
    """Main loop only.  Raises outages; the next call carries on where it stopped."""

    def __init__(self, broker: WorkerBroker, *, waits: bool = True, strategy: str = "default") -> None:
        self._broker, self._waits, self._strategy = broker, waits, strategy
        self._queues = list(broker.queues)
        self._doorbells = broker.doorbells()
        self._rung: list[tuple[str, str]] = []
        self._brought: list[Claimed] = []
        self._rests_until: dict[str, float] = {}
        self._may_have_more = True
        self._suspended_until = 0.0

    def waitables(self) -> list[Doorbell]:
        """Armed doorbells."""
        return [bell for bell in self._doorbells if bell.is_armed]

    def hear(self, ready: Iterable[Any], now: float) -> None:
        """Read the doorbells that rang.  A silence longer than the server's own time limit is an outage.

        So is another primary: whoever waits at the old one hears of nothing.
        """
        for bell in ready:
            if isinstance(bell, Doorbell) and bell.is_armed:  # who stops has read it since
                self._keep(bell, self._answer(bell, now), now)
        if any(bell.is_armed and now >= self._silent_at(bell) for bell in self._doorbells):
            raise ServerUnreachableError("a doorbell's connection is silent: the server is gone, or was paused")
        if any(bell.is_armed and bell.is_elsewhere for bell in self._doorbells):
            raise ServerUnreachableError("the sentinels name another primary: its connections are made anew")

    def hear_now(self, now: float) -> None:
        """Read the doorbells that have rung since the turn began."""
        self.hear(Poller().wait(self.waitables(), 0), now)

    def _answer(self, bell: Doorbell, now: float) -> Ring:
        """What one doorbell brings.  An error that is about its queue alone leaves the others as they are."""
        try:
            return bell.answer()
        except (*OUTAGES, ServerRefusedError):
            raise
        except ServerError as error:
            self._leave_alone(bell.queue, str(error), now)
            return Ring()

    def _keep(self, bell: Doorbell, ring: Ring, now: float) -> None:
        if ring.claimed is not None:
            claimed = self._broker.claimed(ring.claimed)
            self._brought.append(claimed)
            self._note(claimed, now)
        elif ring.moved is not None:
            self._rung.append((bell.queue, ring.moved))
            self._may_have_more = True

    def brought(self) -> list[Claimed]:
        """What doorbells have brought since the last call: it is ours already."""
        brought, self._brought = self._brought, []
        return brought

    def _leave_alone(self, queue: str, reason: str, now: float) -> None:
        log.warning("queue %s: %s; looking again in %g s", queue, reason, SPOILED_SECONDS)
        self._rests_until[queue] = now + SPOILED_SECONDS

    def _silent_at(self, bell: Doorbell) -> float:
        return bell.armed_at + WAIT_SECONDS + SILENCE_SECONDS

    def claim(self, capacity: int, now: float) -> Claimed:
        """Up to `capacity` tasks and MOST_AT_ONCE, and those that doorbells rang for."""
        if self._rung or (capacity > 0 and self._may_have_more and now >= self._suspended_until):
            return self._claim(min(MOST_AT_ONCE, max(0, capacity - len(self._rung))), now)
        return Claimed()

    def listen(self, now: float) -> None:
        """Arm the doorbells when the last claim left nothing.  Apart from `claim`, for it may meet an outage too."""
        if not self._waits or self._may_have_more or now < self._suspended_until:
            return
        for bell in self._doorbells:
            if not bell.is_armed and now >= self._rests_until.get(bell.queue, 0.0):
                self._rests_until.pop(bell.queue, None)
                bell.arm(now)

    def _claim(self, most: int, now: float) -> Claimed:
        rung = list(self._rung)
        queues = [queue for queue in self._queues if now >= self._rests_until.get(queue, 0.0)]
        claimed = self._broker.claim(most, rung, queues)
        del self._rung[: len(rung)]
        self._note(claimed, now)
        return claimed

    def _note(self, claimed: Claimed, now: float) -> None:
        """Learn from a claim when the next one is worth a call."""
        self._reorder(claimed.tasks)
        self._may_have_more = claimed.is_more
        self._suspended_until = 0.0
        if claimed.suspended:
            self._suspended_until, self._may_have_more = now + SUSPENDED_SECONDS, True
        for queue, reason in claimed.spoiled:
            self._leave_alone(queue, reason, now)
        if claimed.quarantined:
            log.warning("%d malformed records are in quarantine (see farpool doctor)", claimed.quarantined)

    def _reorder(self, tasks: Sequence[Task]) -> None:
        """Which queue comes first next time."""
        if self._strategy == "random":
            random.shuffle(self._queues)
        elif self._strategy == "round_robin" and tasks:
            beyond = self._queues.index(tasks[-1].queue) + 1
            self._queues = self._queues[beyond:] + self._queues[:beyond]

    def next_look(self, now: float) -> float | None:
        """Seconds until `claim` or `hear` is worth a call though nothing rings; None: wait for something else."""
        if self._may_have_more:
            return max(0.0, self._suspended_until - now)
        looks = [self._silent_at(bell) for bell in self.waitables()]
        looks += self._rests_until.values() if self._waits else ()
        return max(0.0, min(looks) - now) if looks else None

    @property
    def is_dry(self) -> bool:
        """True when the last claim found the queues empty."""
        return not (self._may_have_more or self._rung or self._brought)

    def look_again(self) -> None:
        """RQ's code may have put a job back into its queue: a burst is not over."""
        self._may_have_more = self._may_have_more or not self._waits

    @property
    def is_suspended(self) -> bool:
        """True while `rq suspend` holds."""
        return self._suspended_until > 0.0

    def reset(self) -> None:
        """After an outage: drop the connections; ids in doubt are put back by recovery."""
        for bell in self._doorbells:
            bell.close()
        self._may_have_more = True

    def stop(self, now: float) -> None:
        """Stop waiting, and put back what the doorbells had moved; what they had claimed comes by `brought`."""
        for bell in self._doorbells:
            self._keep(bell, bell.disarm(self._broker.client), now)
            bell.close()
        self._broker.put_back(self._rung)
        self._rung.clear()

    def close(self) -> None:
        """Drop the connections."""
        for bell in self._doorbells:
            bell.close()
