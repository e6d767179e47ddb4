"""Worker daemons on this machine around a private server."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from farpool.embedded.server import Server
from farpool.embedded.worker_process import START_SECONDS, WorkerPlan, WorkerProcess, host_name
from farpool_common.signing import KEY, key_from, new_key

DRAIN_SECONDS = 5.0
"""What running tasks get when the pool is closed (guess): nobody is left who could read their results."""


class LocalPool:
    """A server and one or more worker daemons, ready for work; all of it ends with this process.

    `workers` are named hosts with their numbers of slots (None: one for each usable core).  Only this user
    can reach the server, so by default the workers run any function that they can import.
    Raises FarpoolError with the log of what did not start.
    """

    def __init__(
        self,
        workers: Sequence[tuple[str, int | None]] | None = None,
        *,
        queues: Sequence[str] = ("default",),
        paths: Sequence[Path] = (),
        allow_any: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        plans = [
            WorkerPlan(
                name=name,
                slots=slots,
                queues=tuple(queues),
                paths=tuple(paths),
                allow_any=allow_any,
                rq_jobs=False,  # nobody else enqueues here
            )
            for name, slots in (workers or [(host_name(), None)])
        ]
        environ = os.environ if environ is None else environ
        self.key = None if key_from(environ) is not None else new_key("the pool on this machine")
        """Known to its workers: functions that have no name travel with it.  None: the user has set a key."""
        if self.key is not None:  # their environment is for this user's eyes only, a command line is not
            environ = {**environ, KEY: self.key.secret}
        self._workers: list[WorkerProcess] = []
        with ExitStack() as undo:
            self.server = undo.enter_context(Server())
            undo.callback(self._stop_workers)
            for plan in plans:
                log = self.server.directory / f"{plan.name}.log"
                self._workers.append(WorkerProcess(self.server, plan, log=log, environ=environ))
            deadline = time.monotonic() + START_SECONDS
            for worker in self._workers:
                worker.wait_until_listed(deadline)
            self._undo = undo.pop_all()

    @property
    def url(self) -> str:
        """Where producers of this user reach the pool."""
        return self.server.url

    @property
    def slots(self) -> int:
        """How many tasks run at once, over all workers."""
        return sum(worker.slots() for worker in self._workers)

    @property
    def is_running(self) -> bool:
        """True while the server answers and every worker lives."""
        return self.server.is_running and all(worker.is_running for worker in self._workers)

    def close(self) -> None:
        """Drain the workers for a few seconds and stop everything.  Does nothing in a forked child."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stop_workers(self) -> None:
        # All of them first, so that they drain side by side.
        for worker in self._workers:
            worker.drain(DRAIN_SECONDS)
        for worker in self._workers:
            worker.close(DRAIN_SECONDS)
