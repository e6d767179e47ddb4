"""What `farpool info` shows of this daemon, written with each heartbeat."""

import os
import socket
from datetime import UTC, datetime

from farpool_worker.settings import WorkerSettings
from farpool_worker.tasks.claimer import Claimer
from farpool_worker.tasks.ledger import Ledger, Stage


class Presence:
    """Called by the lease thread; reads only."""

    def __init__(self, settings: WorkerSettings, ledger: Ledger, claimer: Claimer) -> None:
        self._settings, self._ledger, self._claimer = settings, ledger, claimer
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")

    def fields(self) -> dict[str, str | int]:
        """The host's record."""
        busy = sum(held.stage is Stage.SENT for held in self._ledger.all())
        return {
            "hostname": socket.gethostname(),
            "pid": os.getpid(),
            "slots": self._settings.slots,
            "busy": min(busy, self._settings.slots),
            "queues": ",".join(self._settings.queues),
            "reason": self._settings.slots_reason,
            "started_at": self._started_at,
            "accept": ",".join(self._settings.jobs.accept),
            "folder": self._settings.folder,
            "state": self._state(),
        }

    def _state(self) -> str:
        if self._claimer.is_suspended:
            return "suspended"
        return "busy" if len(self._ledger) else "idle"
