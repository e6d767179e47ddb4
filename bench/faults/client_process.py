"""The other end of `bench.faults.client`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.faults.outcome import Outcome
from bench.faults.systems import System
from bench.line_process import LineProcess

ANSWER_SECONDS = 90.0
"""A client that is silent for longer has failed, and the round with it."""


class ClientProcess(LineProcess):
    """A system's client in its own environment."""

    def __init__(self, system: System, url: str, folder: Path) -> None:
        command = [system.python, "-m", "bench.faults.client", system.module]
        environ = {**system.environ, "BENCH_URL": url}
        super().__init__(command, environ, folder / "client.log", answer_seconds=ANSWER_SECONDS)
        self.wait_until_ready()

    def submit(self, key: str, call: str, *args: Any) -> str:
        """ "" when it was accepted, else why not."""
        return str(self.ask(do="submit", key=key, call=call, args=args))

    def look(self, keys: Iterable[str]) -> dict[str, Outcome]:
        """What is known of these now; those that cannot be looked at are missing."""
        return {key: Outcome(**found) for key, found in self.ask(do="look", keys=list(keys)).items()}

    def spoil(self, number: int) -> str:
        return str(self.ask(do="spoil", number=number))

    def doubles(self) -> int:
        return int(self.ask(do="doubles"))
