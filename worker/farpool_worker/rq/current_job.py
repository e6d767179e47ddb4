"""The job that `rq.get_current_job()` answers inside a function that farpool calls: read only when it is looked at."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from redis import Redis
from rq.job import Job, _current_job

_OWN = frozenset(("_id", "_connect", "_is_loaded", "is_failure_plain"))


class CurrentJob:
    """Mixed into a class of jobs.  Knows its id; any other attribute, read or set, fetches the record first.

    Most functions never ask.  One that did may have changed anything, and RQ writes what was changed:
    then its job is ended by RQ's own code.
    """

    _id: str
    _connect: Callable[[], Redis]
    _is_loaded: bool
    is_failure_plain: bool
    """Whether nothing follows from an exception: our tasks ask, and the record need not be fetched."""

    def __init__(self, job_id: str, connect: Callable[[], Redis], is_failure_plain: bool) -> None:
        own = {"_id": job_id, "_connect": connect, "_is_loaded": False, "is_failure_plain": is_failure_plain}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    @property
    def is_loaded(self) -> bool:
        """Whether anything but its id was asked for."""
        return self._is_loaded

    def load(self) -> None:
        """Become an ordinary job."""
        object.__setattr__(self, "_is_loaded", True)
        super().__init__(self._id, connection=self._connect())  # type: ignore[call-arg]
        self.refresh()

    def __getattr__(self, name: str) -> Any:
        # Only what is not there yet comes here.
        if name in _OWN or self._is_loaded or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.load()
        return getattr(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not self._is_loaded:
            self.load()
        object.__setattr__(self, name, value)


@lru_cache
def current_class(job_class: type[Job]) -> type[Any]:
    """A class whose jobs are read when they are looked at."""
    return type(job_class.__name__, (CurrentJob, job_class), {})


@contextmanager
def current(job: Job) -> Iterator[None]:
    """Let `get_current_job()` answer this job."""
    token = _current_job.set(job)
    try:
        yield
    finally:
        _current_job.reset(token)
