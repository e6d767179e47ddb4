"""How a task's calls and jobs are run: what `@task(...)` and `options(...)` take."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

from farpool.options import CallOptions
from farpool.retry import Retry, is_whole
from farpool_common.errors import SettingsError
from farpool_common.task import DEFAULT_RETRIES

if TYPE_CHECKING:  # loaded when a job is enqueued
    from redis.client import Pipeline
    from rq.callbacks import Callback
    from rq.rate_limit import RateLimit
    from rq.repeat import Repeat
    from rq.types import JobDependencyType
    from rq.webhook import Webhook

Unique = bool | str | Callable[..., object]


class TaskChanges(TypedDict, total=False):
    """Farpool's own options, then those of RQ's `Queue.enqueue`, by RQ's names and for jobs only."""

    queue: str
    timeout: float | None
    retries: int | Retry
    result_ttl: int | None
    keep: float | None
    unique: Unique
    url: str | None
    description: str | None
    depends_on: "JobDependencyType | None"
    job_id: str | None
    at_front: bool
    meta: dict[str, Any] | None
    ttl: int | None
    failure_ttl: int | None
    on_success: "Callback | None"
    on_failure: "Callback | None"
    on_stopped: "Callback | None"
    repeat: "Repeat | None"
    rate_limit: "RateLimit | None"
    webhooks: "list[Webhook] | None"
    pipeline: "Pipeline | None"


_OURS = ("queue", "timeout", "retries", "result_ttl", "keep", "unique", "url")
_RQS = tuple(name for name in TaskChanges.__annotations__ if name not in _OURS)


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """Farpool's own; `rq` are RQ's."""

    queue: str = "default"
    timeout: float | None = None
    retries: int | Retry = 0
    result_ttl: int | None = None
    keep: float | None = None
    unique: Unique = False
    url: str | None = None
    rq: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.retries, Retry) and (not is_whole(self.retries) or self.retries < 0):
            raise SettingsError(
                f"retries is how often a call that raised runs again, or a farpool.Retry; not {self.retries!r}"
            )
        if self.result_ttl is not None and (not is_whole(self.result_ttl) or self.result_ttl < -1):
            raise SettingsError(
                f"result_ttl is a whole number of seconds, 0 for no result, -1 for ever; not {self.result_ttl!r}"
            )
        if not (isinstance(self.unique, (bool, str)) or callable(self.unique)) or self.unique == "":
            raise SettingsError(
                f"unique is True, a name, or a function of the call's arguments that gives one; not {self.unique!r}"
            )
        if self.url is not None and not isinstance(self.url, str):
            raise SettingsError(f"url is the address of a server, not {self.url!r}")
        if self.unique:
            for name in ("job_id", "rate_limit", "pipeline"):
                if self.rq.get(name) is not None:
                    raise SettingsError(f"unique and {name} do not go together: leave one of them out")
        _ = self.call  # checks the rest

    def changed(self, changes: Mapping[str, Any]) -> "TaskOptions":
        """The same but for these.  Raises SettingsError, and TypeError for a name that is no option."""
        unknown = [name for name in changes if name not in TaskChanges.__annotations__]
        if unknown:
            raise TypeError(f"{unknown[0]!r} is no option of a task; options are {', '.join((*_OURS, *_RQS))}")
        rq = {name: changes[name] for name in changes if name in _RQS}
        ours = {name: changes[name] for name in changes if name in _OURS}
        return replace(self, rq={**self.rq, **rq}, **ours)

    @property
    def retry(self) -> Retry | None:
        """How often and when what raised runs again; None for never."""
        if isinstance(self.retries, Retry):
            return self.retries
        return Retry(self.retries) if self.retries else None

    @property
    def call(self) -> CallOptions:
        """The same for futures."""
        retries = self.retry or DEFAULT_RETRIES
        return CallOptions(queue=self.queue, timeout=self.timeout, retries=retries, keep=self.keep)

    @property
    def job_seconds(self) -> int | None:
        """The time limit of a job, which RQ has in whole seconds; None for RQ's own."""
        return None if self.timeout is None else math.ceil(self.timeout)
