"""Where an outcome came from, and the errors that say so."""

from dataclasses import dataclass

from farpool_common.errors import TaskTimeoutError
from farpool_common.failure import Failure
from farpool_common.limit import OVERRUN


@dataclass(frozen=True, slots=True)
class Origin:
    """The task, host, attempt and process of an outcome."""

    task_id: str
    host: str
    attempt: int
    pid: int


def error_of(failure: Failure, origin: Origin) -> Exception:
    """The exception of a failed call, with a note on where it happened."""
    error = failure.exception()
    if isinstance(error, TaskTimeoutError) and OVERRUN.fullmatch(str(error)):
        error.args = (f"{error} on {origin.host}",)  # a process that stopped its own call cannot know that
    error.add_note(f"task {origin.task_id}, attempt {origin.attempt}, process {origin.pid} on {origin.host}")
    return error
