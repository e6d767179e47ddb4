"""`farpool run SCRIPT`: a script, with a pool of this machine's cores for as long as it runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from farpool.cli.options import path_option, slots_option
from farpool.embedded import LocalPool
from farpool.embedded.worker_process import host_name
from farpool_common.address import PASSWORD_FILE
from farpool_common.signing import POOL_KEY

Plan = list[tuple[str, int | None]]
"""Names of hosts with their slots; None: one for each usable core."""

FORWARDED = (signal.SIGTERM, signal.SIGHUP)
"""Sent to this process alone.  Ctrl-C is not among them: a terminal sends it to the script, too."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@slots_option
@path_option
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("arguments", metavar="[ARG]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context, slots: int | None, paths: tuple[str, ...], script: Path, arguments: tuple[str, ...]
) -> None:
    """Run a Python script with a pool of this machine's cores around it.

    Its Executors find the pool by FARPOOL_URL.  The exit code is the script's own.
    """
    folders = [Path(path).resolve() for path in paths]
    ctx.exit(run_on([(host_name(), slots)], script, arguments, folders))


def run_on(hosts: Plan, script: Path, arguments: Sequence[str], folders: Sequence[Path] = ()) -> int:
    """Start worker daemons as these hosts, run the script with their URL, stop them; the script's exit code."""
    code_folders = dict.fromkeys([script.resolve().parent, Path.cwd(), *folders])
    with LocalPool(hosts, paths=list(code_folders)) as pool:
        key = {} if pool.key is None else {POOL_KEY: pool.key.secret}
        return _run_script([sys.executable, str(script), *arguments], {"FARPOOL_URL": pool.url} | key)


def _run_script(argv: list[str], pool: Mapping[str, str]) -> int:
    """The script's exit code, as a shell would tell it."""
    # The password of some other server is not for this one.
    environ = {name: value for name, value in os.environ.items() if name != PASSWORD_FILE} | {**pool}
    with subprocess.Popen(argv, env=environ) as process, _signals_for(process):
        code = process.wait()
    return 128 - code if code < 0 else code


@contextmanager
def _signals_for(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """While the script runs, signals are its business: it may clean up before it ends."""

    def forward(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    def leave_to_the_script(number: int, _: FrameType | None) -> None:
        pass

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, leave_to_the_script)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
