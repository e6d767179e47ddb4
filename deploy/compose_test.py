"""The containers for real: build, three workers, the demo, one worker killed at work, nothing lost, nothing left.

    python deploy/compose_test.py

It needs Docker with Compose v2 or docker-compose 1.29, and 2 GB of memory.  Where no engine answers, the
variable DOCKER_STANDINS may name a program that starts one in a folder and makes base images there:
`PROGRAM start FOLDER` prints DOCKER_HOST=..., `PROGRAM image FOLDER NAME...`, `PROGRAM stop FOLDER`.
Every step has a deadline, and what was started is removed however the run ends.  The built image stays,
tagged farpool:compose-test, because its layers make the next run quicker.
"""

# ruff: noqa: T201 - a program that a person watches

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
IMAGE = "farpool:compose-test"
BASES = ("python:3.12-slim", "redis:7")
WORKERS = 3
TASKS = 40
KILL_AFTER = 5
"""Results before the kill: early enough that every slot still has work, late enough that all have begun."""

VALUES = (
    1.301141750443172,
    1.3011564435259444,
    1.3012120086330983,
    1.3011731511648024,
    1.301167141282091,
    1.301180566862531,
    1.3012034013376712,
    1.3011600525150862,
)
"""What the demo's function returns for the seeds 0 to 7; the last digits depend on NumPy's build."""

SCRIPT = f"""
import json
from farpool import Executor, as_completed
from wave_means import process_array
with Executor() as executor:
    futures = {{executor.submit(process_array, n % {len(VALUES)}): n for n in range({TASKS})}}
    for done in as_completed(futures):
        line = dict(n=futures[done], value=float(done.result()), host=done.host, attempt=done.attempt)
        print(json.dumps(line), flush=True)
"""

RUN_SCRIPT = ("run", "--rm", "-T", "-w", "/app/examples", "--entrypoint", "python", "demo", "-c", SCRIPT)


class Failed(Exception):
    """What was expected and what was seen."""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    with engine() as environ, password_file() as password, project(environ, password) as compose:
        test(compose, password.read_text())
        step("down", lambda: remove(compose))
    print("compose-test: all passed")


def test(compose: "Compose", password: str) -> None:
    step("build", lambda: compose.run("build", "worker", seconds=600))
    print_size(compose)
    step(f"up with {WORKERS} workers", lambda: start(compose))
    step("password out of sight, no port open, no rights", lambda: check_shut(compose, password))
    step("demo", lambda: check_demo(compose))
    killed = step(f"{TASKS} tasks, one worker killed", lambda: check_kill(compose))
    step("the others drain", lambda: check_drain(compose, killed))
    step("logs without the password", lambda: check_logs(compose, password))


# Steps


def start(compose: "Compose") -> None:
    compose.run("up", "-d", "--scale", f"worker={WORKERS}", seconds=180)
    running = compose.containers("worker", running=True)
    expect(len(running) == WORKERS, f"{WORKERS} workers run, not {len(running)}")


def print_size(compose: "Compose") -> None:
    size = int(compose.docker("image", "inspect", "-f", "{{.Size}}", IMAGE))
    layers = compose.docker("history", "--human=false", "--no-trunc", "--format", "{{.Size}} {{.CreatedBy}}", IMAGE)
    ours = sum(int(line.split()[0]) for line in layers.splitlines() if "COPY" in line and "/opt/farpool" in line)
    print(f"  image: {size / 1e6:.0f} MB, of which farpool and its dependencies are {ours / 1e6:.0f} MB")


def check_shut(compose: "Compose", password: str) -> None:
    """The password is in no argument, variable or label; nothing listens outside; nothing runs as root."""
    for container in compose.containers():
        seen = compose.docker("inspect", container) + compose.docker("top", container, "-eo", "pid,uid,args")
        expect(password not in seen and json.dumps(password)[1:-1] not in seen, "the password is out of sight")
        facts = json.loads(compose.docker("inspect", container))[0]
        expect(not any(facts["NetworkSettings"]["Ports"].values()), "no port is published")
        users = {line.split()[1] for line in compose.docker("top", container, "-eo", "pid,uid").splitlines()[1:]}
        expect(users <= {"999", "10001"}, f"processes run as 999 and 10001, not as {users}")


def check_demo(compose: "Compose") -> None:
    output = compose.run("run", "--rm", "-T", "demo", seconds=400)
    shown = {f"{float(number):.12g}" for number in re.findall(r"\d+\.\d{6,}", output)}
    missing = [value for value in VALUES if f"{value:.12g}" not in shown]
    expect(not missing, f"the demo's values are right; these are missing: {missing} in\n{output}")


def check_kill(compose: "Compose") -> str:
    """The id of the container that was killed; all results came all the same, each of them right."""
    killed = ""
    results: list[dict[str, Any]] = []
    for line in compose.lines(*RUN_SCRIPT, seconds=400):
        results.append(json.loads(line))
        if len(results) == KILL_AFTER:
            killed = container_of(results[-1]["host"], compose.containers("worker"))
            compose.docker("kill", killed)
    hosts = {r["host"] for r in results}
    expect(len(hosts) == WORKERS, f"all {WORKERS} workers took part, not only {hosts}")
    wrong = [r for r in results if f"{r['value']:.12g}" != f"{VALUES[r['n'] % len(VALUES)]:.12g}"]
    expect(not wrong, f"every value is right, not {wrong}")
    expect(sorted(r["n"] for r in results) == list(range(TASKS)), f"{TASKS} results, not {len(results)}")
    again = sum(r["attempt"] > 1 for r in results)
    expect(again > 0, "the killed worker had work, which ran again")
    print(f"  {len(results)} of {TASKS} results, {again} of them by a second attempt")
    return killed


def container_of(host: str, containers: Sequence[str]) -> str:
    """A container's host name is the beginning of its id."""
    found = [c for c in containers if host.startswith(c[:12])]
    expect(len(found) == 1, f"{host} is one of {containers}")
    return found[0]


def check_drain(compose: "Compose", killed: str) -> None:
    compose.run("stop", "worker", seconds=120)
    codes = {
        container: compose.docker("inspect", "-f", "{{.State.ExitCode}}", container).strip()
        for container in compose.containers("worker")
    }
    expect(codes.pop(killed) == "137", "the killed worker was killed")
    expect(set(codes.values()) == {"0"} and len(codes) == WORKERS - 1, f"the others end with 0, not {codes}")


def check_logs(compose: "Compose", password: str) -> None:
    expect(password not in compose.run("logs", "--no-color", seconds=30), "no log shows the password")


def remove(compose: "Compose") -> None:
    compose.down()
    left = compose.leftovers()
    expect(not left, f"nothing is left, not {left}")


# Tools


@dataclass(frozen=True)
class Compose:
    """One project: its name, the command that reads the compose file, and the environment of both."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]

    def run(self, *arguments: str, seconds: float) -> str:
        """The standard output of one compose command."""
        return call([*self.command, *arguments], self.environ, seconds)

    def docker(self, *arguments: str) -> str:
        return call(["docker", *arguments], self.environ, seconds=60)

    def lines(self, *arguments: str, seconds: float) -> Iterator[str]:
        """The standard output of one compose command, line by line as it is written."""
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(
                [*self.command, *arguments], cwd=ROOT, env=self.environ, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            ) as process,
        ):  # fmt: skip
            alarm = threading.Timer(seconds, process.kill)
            alarm.start()
            try:
                assert process.stdout is not None
                yield from process.stdout
                expect(process.wait() == 0, f"{arguments[0]} ends with 0, not {process.returncode}")
            except Failed as failure:
                errors.seek(0)
                raise Failed(f"{failure}\n{errors.read()}") from None
            finally:
                alarm.cancel()
                process.kill()

    def containers(self, service: str | None = None, *, running: bool = False) -> list[str]:
        """Full ids of the project's containers."""
        filters = [f"label=com.docker.compose.project={self.name}"]
        filters += [f"label=com.docker.compose.service={service}"] if service else []
        filters += ["status=running"] if running else []
        arguments = [part for f in filters for part in ("--filter", f)]
        return self.docker("ps", "-aq", "--no-trunc", *arguments).split()

    def down(self) -> None:
        self.run("--profile", "demo", "down", "-v", "--remove-orphans", "-t", "5", seconds=120)

    def leftovers(self) -> list[str]:
        """Containers, volumes and networks that still carry the project's label."""
        mine = ("--filter", f"label=com.docker.compose.project={self.name}")
        found = [self.docker("ps", "-aq", *mine)]
        found += [self.docker(kind, "ls", "-q", *mine) for kind in ("volume", "network")]
        return " ".join(found).split()


@contextlib.contextmanager
def project(environ: Mapping[str, str], password: Path) -> Iterator[Compose]:
    """A project of its own name; when the block fails, its logs are shown and it is removed."""
    name = f"farpool-test-{secrets.token_hex(4)}"
    settings = {"REDIS_PASSWORD_FILE": str(password), "FARPOOL_IMAGE": IMAGE, "WORKER_CPUS": "0"}
    compose = Compose(name, (*compose_command(environ), "-p", name), {**environ, **settings})
    try:
        yield compose
    except BaseException:
        with contextlib.suppress(Failed):
            print(compose.run("logs", "--no-color", "--tail", "40", seconds=30), file=sys.stderr)
        compose.down()
        raise


def compose_command(environ: Mapping[str, str]) -> tuple[str, ...]:
    for command in (("docker", "compose"), ("docker-compose",)):
        with contextlib.suppress(Failed, FileNotFoundError):
            version = call([*command, "version", "--short"], environ, seconds=20).strip()
            print(f"compose: {' '.join(command)} {version}")
            return command
    raise Failed("neither `docker compose` nor `docker-compose` is here: install one")


@contextlib.contextmanager
def password_file() -> Iterator[Path]:
    """A password with every sign that a URL, a shell or Redis' configuration could take for something else."""
    with tempfile.TemporaryDirectory(prefix="farpool-secret-") as folder:
        path = Path(folder, "redis_password")
        path.write_text(secrets.token_urlsafe(16) + r"""/@:%20?#&'"\$HOME`""")
        path.chmod(0o644)  # the container's user reads it; the folder keeps this machine's other users out
        yield path


@contextlib.contextmanager
def engine() -> Iterator[dict[str, str]]:
    """The environment in which docker finds an engine: the one that is there, or one made for this run."""
    environ = dict(os.environ)
    if answers(environ):
        yield environ
        return
    standins = os.environ.get("DOCKER_STANDINS")
    if not standins:
        raise Failed("no Docker engine answers: start it, set DOCKER_HOST, or see DOCKER_STANDINS in this file")
    folder = tempfile.mkdtemp(prefix="farpool-docker-")
    try:
        # Not captured by a pipe: the engine inherits it and would keep it open.
        with open(Path(folder, "started"), "w+") as out:
            subprocess.run([standins, "start", folder], stdout=out, stderr=out, timeout=400, check=True)
            out.seek(0)
            environ["DOCKER_HOST"] = re.findall(r"^DOCKER_HOST=(.+)$", out.read(), re.M)[-1]
        step("stand-ins for the base images", lambda: call([standins, "image", folder, *BASES], environ, 600))
        yield environ
    finally:
        stop_engine(standins, folder, environ)


def stop_engine(standins: str, folder: str, environ: Mapping[str, str]) -> None:
    with contextlib.suppress(Failed):
        call([standins, "stop", folder], environ, seconds=60)
    deadline = time.monotonic() + 60
    while answers(environ) and time.monotonic() < deadline:
        time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)


def answers(environ: Mapping[str, str]) -> bool:
    try:
        call(["docker", "info"], environ, seconds=30)
    except (Failed, FileNotFoundError):
        return False
    return True


def call(command: Sequence[str], environ: Mapping[str, str], seconds: float) -> str:
    """Its standard output.  Raises Failed with what it said when it ends badly or too late."""
    try:
        done = subprocess.run(command, cwd=ROOT, env=environ, timeout=seconds, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)} took more than {seconds:.0f} s") from None
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def step(name: str, run: Callable[[], T]) -> T:
    """What `run` returns; its name and seconds are printed."""
    began = time.monotonic()
    print(f"{name} ...", flush=True)
    result = run()
    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    return result


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(f"expected that {what}")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"compose-test: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
