"""`farpool worker`: options, environment, exit codes; then the daemon."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from farpool_common.address import find_address, prefix_from
from farpool_common.errors import FarpoolError
from farpool_common.exit_codes import exit_code
from farpool_worker.blas import thread_limits
from farpool_worker.log import log, start_logging
from farpool_worker.memory import warm_settings
from farpool_worker.settings import WorkerSettings, default_name, lease_times, max_result_bytes
from farpool_worker.slots import usable_slots

SECRETS = ("FARPOOL_URL", "RQ_REDIS_URL", "REDIS_URL", "FARPOOL_KEY", "FARPOOL_PASSWORD_FILE")
"""Not for children: task code holds no credentials of the queue (decision 4)."""


URL_HELP = "Address of the server.  [default: FARPOOL_URL, RQ_REDIS_URL, REDIS_URL, localhost]"
FOLDER = click.Path(exists=True, file_okay=False)
SECONDS, POSITIVE = click.FloatRange(0), click.FloatRange(0, min_open=True)


@click.command("worker", context_settings={"auto_envvar_prefix": "FARPOOL", "show_default": True})
@click.argument("queues", nargs=-1)
@click.option("-u", "--url", allow_from_autoenv=False, help=URL_HELP)
@click.option("-c", "--slots", type=click.IntRange(1), help="Processes.  [default: the cores this process may use]")
@click.option("-n", "--name", help="Name of this worker.  [default: host name and pid]")
@click.option("-P", "--path", "paths", multiple=True, type=FOLDER, help="More folders with code that may run.")
@click.option("--allow", "allowed", multiple=True, metavar="PREFIX", help="Module whose functions may run, anywhere.")
@click.option("--allow-any", is_flag=True, help="Any importable function may run, as with RQ.")
@click.option("--allow-eviction", is_flag=True, help="Start though the server may evict queued tasks.")
@click.option("-b", "--burst", is_flag=True, help="Exit when the queues are empty.")
@click.option("--max-tasks-per-child", type=click.IntRange(1), help="Replace a process after so many calls.")
@click.option("--max-idle-time", type=POSITIVE, help="Exit after so many idle seconds.")
@click.option("--drain-seconds", type=SECONDS, default=30.0, help="What runs at SIGTERM may take so long.")
@click.option("--connect-seconds", type=SECONDS, default=30.0, help="How long to wait for the server at the start.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def worker(queues: tuple[str, ...], verbose: bool, **options: Any) -> None:
    """Serve QUEUES, in the order of their priority (default: the queue `default`)."""
    # PID 1 ignores signals without a handler.  Nothing is held yet: the first one may end us at once.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = _settings(queues or ("default",), options)
        start_logging(settings.name, is_verbose=verbose)
        code = _serve(settings)
    except FarpoolError as error:
        click.echo(f"farpool: {error}", err=True)
        code = exit_code(error)
    sys.exit(code)


def _settings(queues: tuple[str, ...], options: dict[str, Any]) -> WorkerSettings:
    """Options and environment, read here and nowhere else.  Raises SettingsError."""
    slots = usable_slots(options["slots"])
    return WorkerSettings(
        address=find_address(options["url"], os.environ),
        prefix=prefix_from(os.environ),
        queues=queues,
        name=options["name"] or default_name(),
        slots=slots.count,
        slots_reason=slots.reason,
        roots=tuple(Path(path).resolve() for path in (*options["paths"], ".")),
        allowed=options["allowed"],
        allow_any=options["allow_any"],
        allow_eviction=options["allow_eviction"],
        is_burst=options["burst"],
        max_tasks_per_child=options["max_tasks_per_child"],
        max_idle_seconds=options["max_idle_time"],
        drain_seconds=options["drain_seconds"],
        connect_seconds=options["connect_seconds"],
        max_result_bytes=max_result_bytes(os.environ),
        times=lease_times(os.environ),
    )


def _serve(settings: WorkerSettings) -> int:
    address = settings.address
    log.info("server %s (from %s)", address.masked, address.source)
    threads = thread_limits(os.environ)
    os.environ.update(threads.to_set)
    os.environ.update(warm_settings(os.environ))
    log.info("slots=%d (%s), %s", settings.slots, settings.slots_reason, threads)
    for secret in SECRETS:
        os.environ.pop(secret, None)
    os.environ["FARPOOL_CHILD"] = "1"
    from farpool_worker.daemon import Daemon  # after the environment: children inherit it

    return Daemon(settings).run()


def main() -> None:
    """Entry point of `python -m farpool_worker`."""
    worker(prog_name="farpool worker")
