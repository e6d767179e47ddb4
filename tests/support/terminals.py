"""Terminals at which a reader of the guide types: real shells, real daemons, on this machine for all hosts."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from chapter import Command, mismatch
from daemons import FAST, wait_for

from farpool.embedded import find_server_binary

SECONDS = 100.0
"""What a command gets on a machine that is busy."""

JOINED = re.compile(r" INFO \S+: (redis|valkey) [\d.]+ on ")
"""A worker says this when it is listed and serves its queues."""

SHOWS_FAILURE = re.compile(r"^(\w+\.)*\w+(Error|Exception)\b", re.MULTILINE)


class Terminals:
    """All terminals of a chapter, by the word before their prompt.

    `home` is the reader's home folder and holds `project`, where all commands run.  `places` maps what the guide
    calls servers to what they are here; answers are translated back.
    """

    def __init__(self, home: Path, places: Mapping[str, str]) -> None:
        self.folder = home / "project"
        self.folder.mkdir()
        self._places = places
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FARPOOL_", "RQ_", "REDIS_"))}
        (home / "bin").mkdir()
        (home / "bin/valkey-server").symlink_to(find_server_binary())
        path = f"{home / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environ = kept | FAST | {"HOME": str(home), "PATH": path, "PYTHONUNBUFFERED": "1", "FARPOOL_SLOTS": "2"}
        self._environ |= {"COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
        self._exports: dict[str, list[str]] = {}
        self._started: dict[str, list[Background]] = {}
        self._code = 0

    def write(self, name: str, text: str) -> None:
        """Write a file into the project's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._here(text))

    def type(self, command: Command, following: str) -> None:
        """Do what is typed and compare what is printed.  `following`: what is typed next."""
        text, of_here = command.text.partition("  #")[0].strip(), self._started.setdefault(command.terminal, [])
        if text.startswith("export "):
            self._exports.setdefault(command.terminal, []).append(text)
            self._compare(command, self._finished(command, text))
        elif text == "echo $?":
            self._compare(command, f"{self._code}\n")
        elif sent := re.fullmatch(r"kill (?:-(\d+) )?%1|\^C|fg", text):
            job = of_here.pop()
            if text != "fg":
                job.process.send_signal(signal.SIGINT if text == "^C" else int(sent[1] or signal.SIGTERM))
            self._code = job.process.wait(SECONDS)
            if text == "fg" or command.shown:
                self._compare(command, self._there(job.unseen()))
        elif text.endswith("&") or (text.startswith("farpool worker ") and " --burst" not in text):
            of_here.append(self._background(command, text.removesuffix("&").strip()))
        else:
            printed = self._finished(command, text)
            self._compare(command, printed)
            told = following == "echo $?" or SHOWS_FAILURE.search("\n".join(command.shown))
            assert self._code == 0 or told, f"{text} ended with {self._code} and the guide does not say so"

    def close(self) -> None:
        """End what still runs, as a reader would; each must end well."""
        left = [job for jobs in self._started.values() for job in jobs]
        for job in left:
            if job.process.poll() is None:
                job.process.terminate()
        codes = {job.text: job.process.wait(SECONDS) for job in left}
        assert not any(codes.values()), codes

    def kill(self) -> None:
        """End what a failed test has left."""
        for job in (job for jobs in self._started.values() for job in jobs):
            job.process.kill()
            job.process.wait()

    def _finished(self, command: Command, text: str) -> str:
        script = self._script(command.terminal, text)
        done = subprocess.run(
            script, cwd=self.folder, env=self._environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
        )  # fmt: skip
        self._code = done.returncode
        return self._there(done.stdout)

    def _background(self, command: Command, text: str) -> "Background":
        log = self.folder.parent / f"{command.terminal}-{len(self._started[command.terminal])}.log"
        job = Background(self._script(command.terminal, f"exec {text}"), text, log, self.folder, self._environ)
        if text.startswith("farpool worker"):
            self._wait_until_it_serves(job)
        if command.shown:
            wait_for(lambda: mismatch(command, self._there(job.printed())) is None, lambda: self._why(command, job))
        job.see()
        return job

    def _wait_until_it_serves(self, job: "Background") -> None:
        def serves() -> bool:
            assert job.process.poll() is None, job.printed()
            return JOINED.search(job.printed()) is not None

        wait_for(serves, job.printed)

    def _why(self, command: Command, job: "Background") -> str:
        return mismatch(command, self._there(job.printed())) or ""

    def _script(self, terminal: str, text: str) -> list[str]:
        return ["bash", "-c", self._here("\n".join([*self._exports.get(terminal, []), text]))]

    def _compare(self, command: Command, printed: str) -> None:
        why = mismatch(command, printed)
        assert why is None, why

    def _here(self, text: str) -> str:
        for shown, real in self._places.items():
            text = text.replace(shown, real)
        return text

    def _there(self, text: str) -> str:
        for shown, real in self._places.items():
            text = text.replace(real, shown)
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


class Background:
    """A command that goes on while its reader types elsewhere."""

    def __init__(self, script: list[str], text: str, log: Path, folder: Path, environ: Mapping[str, str]) -> None:
        self.text, self._log, self._seen = text, log, 0
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                script, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    def printed(self) -> str:
        return self._log.read_text()

    def see(self) -> None:
        """What is printed so far has been read."""
        self._seen = len(self.printed())

    def unseen(self) -> str:
        return self.printed()[self._seen :]
