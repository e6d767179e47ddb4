"""What a process that runs tasks knows of its daemon's server: where handles of shared objects connect.

A child is told by its pipe, when it starts.  The address is in no environment, so that a program which a task
starts does not inherit it; the task itself can read it, as it can read all that the worker's user can.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Home:
    """The server of the tasks that run here, and how names in values are resolved under the worker's trust."""

    url: str = field(repr=False)
    prefix: str
    classes: Callable[[str], type]
    function: Callable[[str], Callable[..., Any]]


_home: Home | None = None


def settle(home: Home | None) -> None:
    """Say where this process belongs: once, before the first task."""
    global _home
    _home = home


def current() -> Home | None:
    """The home of this process; None in one that runs no tasks of a daemon."""
    return _home
