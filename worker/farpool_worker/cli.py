"""`farpool worker`: options, environment, exit codes."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from farpool_common.address import find_address, prefix_from
from farpool_common.border import RQ_RESULT_SECONDS
from farpool_common.broker import Durability
from farpool_common.errors import FarpoolError, told
from farpool_common.exit_codes import exit_code
from farpool_common.signing import key_here
from farpool_worker.host.blas import thread_limits
from farpool_worker.host.slots import usable_slots
from farpool_worker.job_options import JobOptions, RqOptions, border_of, formats, own_serializer
from farpool_worker.log import start_logging
from farpool_worker.pipe.slate import TEXT_BYTES
from farpool_worker.serve import serve
from farpool_worker.settings import (
    STRATEGIES,
    WorkerSettings,
    default_name,
    lease_times,
    max_result_bytes,
    object_bytes,
    shared_folder,
)

URL_HELP = "Address of the server.  [default: FARPOOL_URL, RQ_REDIS_URL, REDIS_URL, localhost]"
FOLDER = click.Path(exists=True, file_okay=False)
SECONDS, POSITIVE = click.FloatRange(0), click.FloatRange(0, min_open=True)
DURABILITY = click.Choice([str(each) for each in Durability])


@click.command("worker", context_settings={"auto_envvar_prefix": "FARPOOL", "show_default": True})
@click.argument("queues", nargs=-1)
@click.option("-u", "--url", allow_from_autoenv=False, help=URL_HELP)
@click.option("-c", "--slots", type=click.IntRange(1), help="Processes.  [default: the cores this process may use]")
@click.option("-n", "--name", help="Name of this worker.  [default: host name and pid]")
@click.option("-P", "--path", "paths", multiple=True, type=FOLDER, help="More folders with code that may run.")
@click.option("--allow", "allowed", multiple=True, metavar="PREFIX", help="Module whose functions may run, anywhere.")
@click.option("--allow-any", is_flag=True, help="Any importable function may run, as with RQ.")
@click.option("--allow-eviction", is_flag=True, help="Start though the server may evict queued tasks.")
@click.option(
    "--durability", type=click.Choice([str(each) for each in Durability]), default="memory", help="Of results."
)
@click.option("--accept", default="msgpack", help="Formats of RQ jobs that run here: msgpack,json,pickle.")
@click.option("-b", "--burst", is_flag=True, help="Exit when the queues are empty.")
@click.option("-s", "--with-scheduler", is_flag=True, help="Promote scheduled jobs, under RQ's own locks.")
@click.option("--dequeue-strategy", "strategy", type=click.Choice(STRATEGIES), default="default", help="RQ's.")
@click.option("--max-jobs", type=click.IntRange(1), help="Exit after so many RQ jobs.")
@click.option("--no-rq-jobs", is_flag=True, help="Refuse jobs that RQ's own code must run: callbacks and the like.")
@click.option("--no-shared-state", is_flag=True, help="Tasks get no Queue, Lock, ... and no address.")
@click.option("--exception-handler", "handlers", multiple=True, metavar="NAME", help="RQ's: module.function.")
@click.option("-j", "--job-class", default="", help="RQ's: a class of jobs.")
@click.option("--queue-class", default="", help="RQ's: a class of queues.")
@click.option("-S", "--serializer", help="RQ's: a serializer of your own; pickle, JSON and msgpack are recognised.")
@click.option("--results-ttl", type=int, default=RQ_RESULT_SECONDS, help="Seconds that RQ results are kept.")
@click.option("--maintenance-interval", type=POSITIVE, default=600.0, help="Seconds between looks at RQ's registries.")
@click.option("--preload", multiple=True, metavar="MODULE[:FUNCTION]", help="Imported, or called, in each process.")
@click.option(
    "--log-bytes",
    type=click.IntRange(0, TEXT_BYTES),
    default=TEXT_BYTES,
    help="Of what a task writes are kept; 0: none.",
)
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
        start_logging(settings.name, level="DEBUG" if verbose else "INFO")
        code = serve(settings, keeps_secrets=settings.allow_any and settings.jobs.rq is not None).code
    except FarpoolError as error:
        click.echo(f"farpool: {told(error)}", err=True)
        code = exit_code(error)
    sys.exit(code)


def _settings(queues: tuple[str, ...], options: dict[str, Any]) -> WorkerSettings:
    """Options and environment, read here and nowhere else.  Raises SettingsError."""
    slots = usable_slots(options["slots"])
    address, prefix = find_address(options["url"], os.environ), prefix_from(os.environ)
    name = options["name"] or default_name()
    rq = RqOptions(
        url=address.url,
        prefix=prefix,
        worker=name,
        queues=queues,
        result_seconds=options["results_ttl"],
        maintenance_seconds=options["maintenance_interval"],
        handlers=options["handlers"],
        job_class=options["job_class"],
        queue_class=options["queue_class"],
        serializer=own_serializer(options["serializer"]),
    )
    return WorkerSettings(
        address=address,
        prefix=prefix,
        queues=queues,
        name=name,
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
        object_bytes=object_bytes(os.environ),
        log_bytes=options["log_bytes"],
        jobs=_jobs(options, rq),
        border=border_of(rq),
        durability=Durability(options["durability"]),
        with_scheduler=options["with_scheduler"],
        max_jobs=options["max_jobs"],
        strategy=options["strategy"],
        times=lease_times(os.environ),
        folder=shared_folder(os.environ),
        shares_memory=thread_limits(os.environ).are_single,
    )


def _jobs(options: dict[str, Any], rq: RqOptions) -> JobOptions:
    """What children are told at their start."""
    return JobOptions(
        accept=formats(options["accept"]),
        rq=None if options["no_rq_jobs"] else rq,
        preload=options["preload"],
        home=None if options["no_shared_state"] else (rq.url, rq.prefix),
        key=key_here(),
    )


def main() -> None:
    """Entry point of `python -m farpool_worker`."""
    worker(prog_name="farpool worker")
