"""A program in an environment of its own that is told what to do by lines of JSON."""

import json
import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.environments import ROOT

END_SECONDS = 5.0
"""What it gets to end by itself when its input has ended."""


class LineProcess:
    """The other end of `bench.serving`.  `answer_seconds` of silence mean that it has failed."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: Path, *, answer_seconds: float) -> None:
        self._answer_seconds, self._log = answer_seconds, log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            )

    def wait_until_ready(self) -> None:
        """It says so once."""
        self._answer()

    def ask(self, **order: Any) -> Any:
        """Its answer.  Raises RuntimeError when there is none."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Let it end, and end it when it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        # One answer per order, so nothing can wait in the reader's buffer.
        ready, _, _ = select.select([self.process.stdout], [], [], self._answer_seconds)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            code = self.process.poll()
            raise RuntimeError(f"{self._log.stem} did not answer; it ended with {code}: {self._last_words()}")
        return json.loads(line)

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-1000:]
