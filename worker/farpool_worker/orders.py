"""What a command of RQ's channel leads to."""

import signal
import time
from collections.abc import Iterable
from typing import Any, assert_never

from farpool_worker.commands import Command, Commands, KillHorse, Shutdown, StopJob
from farpool_worker.log import log
from farpool_worker.pool.pool import Pool
from farpool_worker.tasks.claimer import Claimer
from farpool_worker.tasks.intake import Intake
from farpool_worker.tasks.ledger import Held, Ledger, Stage
from farpool_worker.tasks.results import Results


class Orders:
    """Main loop only."""

    def __init__(
        self,
        commands: Commands,
        claimer: Claimer,
        intake: Intake,
        ledger: Ledger,
        pool: Pool,
        results: Results,
    ) -> None:
        self._commands, self._claimer, self._intake = commands, claimer, intake
        self._ledger, self._pool, self._results = ledger, pool, results

    def hear(self, ready: Iterable[Any]) -> None:
        """Subscribe, or obey what is there to be read.  Raises an outage."""
        if not self._commands.is_open:
            self._commands.open()
        elif self._commands in ready:
            self._obey_all(self._commands.received())

    def _obey_all(self, commands: Iterable[Command]) -> None:
        """Whoever sent one may have seen a job start whose doorbell has rung since this turn began."""
        try:
            self._claimer.hear_now(time.monotonic())
            self._intake.take_brought()
        finally:
            for command in commands:
                self._obey(command)

    def _obey(self, command: Command) -> None:
        match command:
            case StopJob(job_id, execution):
                held = self._ledger.get(job_id)
                if held is not None and execution in (None, held.task.execution):
                    self._stop(held)
            case KillHorse():
                self._pool.kill_busy()
            case Shutdown():
                signal.raise_signal(signal.SIGINT)  # RQ's own way: a second one does not wait
            case _:
                assert_never(command)

    def _stop(self, held: Held) -> None:
        if held.errand is not None or held.is_settling or held.stage is Stage.ENDING:
            return  # it has run
        log.info("task %s is stopped on request", held.task.id)
        held.is_canceled = True
        if held.stage is Stage.SENT:
            self._results.stop_waiting(held)
            self._pool.kill(held.task.id)
        else:
            self._results.stop(held)
