"""The other end of `bench.faults.client`."""

import json
import os
import select
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.faults.outcome import Outcome
from bench.faults.systems import ROOT, System

ANSWER_SECONDS = 90.0
"""A client that is silent for longer has failed, and the round with it."""


class ClientProcess:
    """A system's client in its own environment."""

    def __init__(self, system: System, url: str, folder: Path) -> None:
        environ = os.environ | system.environ | {"BENCH_URL": url, "PYTHONPATH": str(ROOT)}
        with (folder / "client.log").open("wb") as log:
            self.process = subprocess.Popen(
                [system.python, "-m", "bench.faults.client", system.module],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._answer()

    def submit(self, key: str, call: str, *args: Any) -> str:
        """ "" when it was accepted, else why not."""
        return str(self._ask(do="submit", key=key, call=call, args=args))

    def look(self, keys: Iterable[str]) -> dict[str, Outcome]:
        """What is known of these now; those that cannot be looked at are missing."""
        return {key: Outcome(**found) for key, found in self._ask(do="look", keys=list(keys)).items()}

    def spoil(self, number: int) -> str:
        return str(self._ask(do="spoil", number=number))

    def doubles(self) -> int:
        return int(self._ask(do="doubles"))

    def close(self) -> None:
        """Let it end, and end it when it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _ask(self, **order: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        # One answer per order, so nothing can wait in the reader's buffer.
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            raise RuntimeError(f"the client did not answer; it ended with {self.process.poll()}")
        return json.loads(line)
