"""`farpool up`: a server and a worker on this machine, for scripts here and for workers elsewhere."""

import os
import signal
import socket
import time
from pathlib import Path
from types import FrameType

import click

from farpool.cli.options import path_option, slots_option
from farpool.embedded import Server, WorkerPlan, WorkerProcess
from farpool.embedded.server import LOOPBACK
from farpool.embedded.worker_process import START_SECONDS, host_name
from farpool_common.address import Address
from farpool_common.errors import FarpoolError, SettingsError

DRAIN_SECONDS = 30.0
HURRY_SECONDS = 2.0
CHECK_SECONDS = 1.0


@click.command()
@click.argument("queues", nargs=-1)
@slots_option
@path_option
@click.option("--allow-any", is_flag=True, help="Any importable function may run, as with RQ.")
@click.option("--port", type=click.IntRange(1, 65535), default=6379, show_default=True, help="The server's port.")
@click.option(
    "--bind",
    metavar="ADDRESS",
    default=LOOPBACK[0],
    show_default=True,
    help="Where the server listens; beyond this machine it needs a password.",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line is the server's password.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for an append-only file.  [default: tasks are lost when the server ends]",
)
def up(
    queues: tuple[str, ...],
    slots: int | None,
    paths: tuple[str, ...],
    allow_any: bool,
    port: int,
    bind: str,
    password_file: Path | None,
    data: Path | None,
) -> None:
    """Start a server and a worker for QUEUES (default: the queue `default`) until Ctrl-C."""
    plan = WorkerPlan(
        name=host_name(),
        slots=slots,
        queues=queues or ("default",),
        paths=tuple(Path(path).resolve() for path in paths),
        allow_any=allow_any,
    )
    _refuse_taken_port(bind, port)
    with Server(port=port, bind=bind, password=_password(password_file), data=data) as server:
        requests = _StopRequests()
        worker = WorkerProcess(server, plan, log=None, environ=os.environ)
        try:
            worker.wait_until_listed(time.monotonic() + START_SECONDS)
            click.echo(_what_to_do(server.url, bind, port, worker.slots()))
            _wait(server, worker)
        except KeyboardInterrupt:
            click.echo("farpool: stopping; what runs may take 30 s (Ctrl-C again: stop at once)", err=True)
        finally:
            worker.close(DRAIN_SECONDS if requests.count < 2 else HURRY_SECONDS)


class _StopRequests:
    """Ctrl-C and SIGTERM, counted: the second one means at once, whenever it comes."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, _: FrameType | None) -> None:
        self.count += 1
        raise KeyboardInterrupt


def _refuse_taken_port(bind: str, port: int) -> None:
    """Say so before anything starts.  Raises SettingsError."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            raise SettingsError(
                f"a server cannot listen on {bind}:{port} ({error.strerror}). "
                f"Choose another port with --port, or use the server that is there."
            ) from error


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    lines = file.read_text().splitlines()
    if not lines or not lines[0].strip():
        raise SettingsError(f"{file} has no password on its first line.")
    return lines[0].strip()


def _what_to_do(url: str, bind: str, port: int, slots: int) -> str:
    shown = Address(url).masked.replace(":***@", ":PASSWORD@")
    lines = [
        f"farpool: {slots} slots here; Ctrl-C stops server and worker",
        f"  a script on this machine:  FARPOOL_URL={shown} python script.py",
    ]
    if bind in LOOPBACK:
        lines.append("  other hosts cannot reach it; for them: farpool up --bind 0.0.0.0 --password-file FILE")
    else:
        elsewhere = f"redis://:PASSWORD@{socket.gethostname()}:{port}/0"
        lines.append(f"  a worker on another host:  FARPOOL_URL={elsewhere} farpool worker")
    return "\n".join(lines)


def _wait(server: Server, worker: WorkerProcess) -> None:
    """Until Ctrl-C or SIGTERM.  Raises FarpoolError when the worker or the server ends by itself."""
    while True:
        code = worker.wait(CHECK_SECONDS)
        if code is not None:
            raise FarpoolError(f"the worker ended, exit code {code}.")
        if not server.is_running:
            raise FarpoolError("the server ended.")
