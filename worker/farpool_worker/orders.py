"""What a command of RQ's channel leads to."""

import signal
from typing import assert_never

from farpool_worker.commands import Command, KillHorse, Shutdown, StopJob
from farpool_worker.ledger import Held, Ledger, Stage
from farpool_worker.log import log
from farpool_worker.pool import Pool
from farpool_worker.results import Results


class Orders:
    """Main loop only."""

    def __init__(self, ledger: Ledger, pool: Pool, results: Results) -> None:
        self._ledger, self._pool, self._results = ledger, pool, results

    def obey(self, command: Command) -> None:
        """Do what somebody asked for."""
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
