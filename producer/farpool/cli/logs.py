"""`farpool logs`: what a task has written, and how far it has come."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict

import click

from farpool.cli.options import json_option, print_json, server_address, server_keys, url_option
from farpool_common.broker import Said, connect, said_by
from farpool_common.errors import FarpoolError
from farpool_common.escape import readable
from farpool_common.progress import TaskProgress

LOOK_SECONDS = 0.5
"""Between two looks of --follow (guess)."""

Look = Callable[[], Said]


@click.command()
@click.argument("task_id", metavar="ID")
@url_option
@json_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the task is over.")
@click.option("--raw", is_flag=True, help="The bytes as they are, with what steers terminals.")
def logs(task_id: str, url: str | None, as_json: bool, follow: bool, raw: bool) -> None:
    """Show what the task ID (`future.id`, or a job's id) has written to stdout and stderr.

    The last 64 KiB are kept.  How far it has come (farpool.progress) is told on stderr.
    """
    if as_json and follow:
        raise click.UsageError("--json shows one moment: leave --follow out")
    address, keys = server_address(url), server_keys()
    with closing(connect(address.url)) as client:

        def look() -> Said:
            return said_by(client, keys, address.masked, task_id)

        said = look()
        if not said.is_known:
            raise FarpoolError(
                f"{address.masked} knows no task {task_id}. Words of a future's task are kept for 15 minutes after "
                f"its end, those of a job as long as its result."
            )
        if as_json:
            print_json(_document(task_id, said))
        else:
            _show(said, look, follow=follow, raw=raw)


def _document(task_id: str, said: Said) -> dict[str, object]:
    return {
        "id": task_id,
        "status": said.status,
        "progress": said.progress and asdict(said.progress),
        "output": said.output.decode("utf-8", "backslashreplace"),
        "bytes_written": said.nbytes,
    }


def _show(said: Said, look: Look, *, follow: bool, raw: bool) -> None:
    if said.nbytes > len(said.output):
        click.echo(f"farpool: the first {said.nbytes - len(said.output):,} bytes are not kept", err=True)
    pieces = _all(said, look) if follow else iter([said.output])
    for piece in pieces:
        click.echo(piece if raw else readable(piece), nl=False)
    if not follow and said.progress is not None:
        click.echo(f"farpool: {_told(said.progress)}", err=True)


def _all(said: Said, look: Look) -> Iterator[bytes]:
    """What there is, then what comes until the task is over."""
    yield said.output
    while not said.is_over:
        time.sleep(LOOK_SECONDS)
        before, said = said, look()
        new = said.nbytes - before.nbytes
        yield said.output[-new:] if new > 0 else b""


def _told(progress: TaskProgress) -> str:
    done = f"{progress.done:,}" if progress.total is None else f"{progress.done:,} of {progress.total:,}"
    share = "" if progress.fraction is None else f" ({progress.fraction:.0%})"
    return f"{done}{share} {readable(progress.label)}".rstrip()
