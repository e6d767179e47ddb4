"""`farpool enqueue`: a call from the shell becomes a background job, RQ's own."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
import redis
from redis.client import Pipeline

from farpool.cli.options import server_address, server_keys, url_option
from farpool_common.broker import connect, translated
from farpool_common.codec import Serializer
from farpool_common.errors import QueueFullError, ServerBusyError

if TYPE_CHECKING:  # RQ reads the prefix when it is imported
    from rq import Queue

MOST_TRIES = 100
"""How often the length of a busy queue is looked at before a job is put there (guess)."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@url_option
@click.option("-q", "--queue", default="default", show_default=True, help="The queue.")
@click.option("--timeout", type=click.IntRange(1), help="Seconds that the job may take.")
@click.option("--front", is_flag=True, help="Before all that wait.")
@click.option("--max-queued", type=click.IntRange(1), help="Refuse it when so many wait already.  [exit code 75]")
@click.argument("function", metavar="MODULE.FUNCTION")
@click.argument("arguments", metavar="[ARG | KEY=VALUE]...", nargs=-1, type=click.UNPROCESSED)
def enqueue(
    url: str | None,
    queue: str,
    timeout: int | None,
    front: bool,
    max_queued: int | None,
    function: str,
    arguments: tuple[str, ...],
) -> None:
    """Put a call of a function on a queue, and print the job's id.

    Each ARG and VALUE is read as JSON where it is JSON (3, true, [1, 2], '"3"'), else as text.
    """
    name = _importable(function)
    args, kwargs = call_arguments(arguments)
    address = server_address(url)
    server_keys()  # says what is wrong with the prefix; RQ, which reads it when imported, ends in a traceback
    from rq import Queue

    client = connect(address.url)
    rq_queue = Queue(queue, connection=client, serializer=Serializer)

    def put(pipeline: Pipeline | None = None) -> str:
        call: dict[str, Any] = {"args": args, "kwargs": kwargs, "timeout": timeout, "at_front": front}
        return str(rq_queue.enqueue_call(name, pipeline=pipeline, **call).id)

    with translated(address.masked):
        click.echo(put() if max_queued is None else put_if_there_is_room(rq_queue, max_queued, put))
    client.close()


def put_if_there_is_room(queue: "Queue", most: int, put: Callable[[Pipeline], str]) -> str:
    """What `put` returns, done only while the queue holds less than `most`.  Raises QueueFullError."""
    for _ in range(MOST_TRIES):
        with queue.connection.pipeline() as pipeline:
            pipeline.watch(queue.key)  # type: ignore[no-untyped-call]
            waiting: Any = pipeline.llen(queue.key)
            if waiting >= most:
                raise QueueFullError(queue.name, waiting, most)
            pipeline.multi()
            job_id = put(pipeline)
            with suppress(redis.WatchError):  # somebody was quicker: look again
                pipeline.execute()
                return job_id
    raise ServerBusyError(f"the queue changed {MOST_TRIES} times while it was looked at; try again")


def call_arguments(words: tuple[str, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that words of a shell stand for.  Raises UsageError."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.isidentifier():
            args.append(_value(word))
        elif key in kwargs:
            raise click.UsageError(f"{key} is given twice")
        else:
            kwargs[key] = _value(value)
    return tuple(args), kwargs


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return text


def _refused(constant: str) -> None:
    """NaN and Infinity are Python's own additions to JSON; in a shell they are words."""
    raise ValueError(constant)


def _importable(function: str) -> str:
    """RQ's spelling of a function's name, from that or from ours."""
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*[.:][^\W\d]\w*(\.[^\W\d]\w*)*", function):
        raise click.UsageError(f"{function!a} is no name of a function: write module.function")
    return function.replace(":", ".")
