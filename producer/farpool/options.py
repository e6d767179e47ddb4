"""How calls are run: what `Executor.options` takes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import ModuleType
from typing import Any, Literal

from farpool.retry import Retry, is_number, is_whole
from farpool_common.errors import SettingsError
from farpool_common.task import DEFAULT_RETRIES, MOST_KEEP_SECONDS


@dataclass(frozen=True, kw_only=True)
class CallOptions:
    """The queue, the time limit in seconds, how often a call whose worker was lost runs again (or, as a Retry, one
    that raised), how many seconds a result stays on the server for others, how many tasks may wait in the queue
    before ours wait here, or are refused, and whether results come here or stay with the workers."""

    queue: str = "default"
    timeout: float | None = None
    retries: int | Retry = DEFAULT_RETRIES
    keep: float | None = None
    max_queued: int | None = None
    when_full: Literal["wait", "raise"] = "wait"
    ship: tuple[ModuleType, ...] = ()
    returns: Literal["value", "reference"] = "value"

    @property
    def losses(self) -> int:
        """How often a call whose worker was lost runs again."""
        return self.retries.lost if isinstance(self.retries, Retry) else self.retries

    @property
    def retry(self) -> Retry | None:
        """How often and when a call that raised runs again; None for never."""
        return self.retries if isinstance(self.retries, Retry) else None

    def changed(self, changes: Mapping[str, Any]) -> "CallOptions":
        """The same but for these.  Raises SettingsError, and TypeError for a name that is no option."""
        names = [field.name for field in fields(self)]
        unknown = [name for name in changes if name not in names]
        if unknown:
            raise TypeError(f"{unknown[0]!r} is no option of a call; options are {', '.join(names)}")
        return replace(self, **changes)

    @property
    def waits_when_full(self) -> bool:
        """Whether calls wait here for room in their queue."""
        return self.max_queued is not None and self.when_full == "wait"

    def __post_init__(self) -> None:
        if not isinstance(self.queue, str) or not self.queue:
            raise SettingsError(f"queue is the name of a queue, not {self.queue!r}")
        if self.timeout is not None and not (is_number(self.timeout) and self.timeout > 0):
            raise SettingsError(f"timeout is a number of seconds above 0, or None, not {self.timeout!r}")
        if not isinstance(self.retries, Retry) and (not is_whole(self.retries) or self.retries < 0):
            raise SettingsError(
                f"retries is how often a call whose worker was lost runs again, 0 for never, or a farpool.Retry, for "
                f"calls that raise; not {self.retries!r}"
            )
        if self.max_queued is not None and not (is_whole(self.max_queued) and self.max_queued > 0):
            raise SettingsError(f"max_queued is a whole number above 0, or None, not {self.max_queued!r}")
        if self.when_full not in ("wait", "raise"):
            raise SettingsError(f'when_full is "wait" or "raise", not {self.when_full!r}')
        if self.returns not in ("value", "reference"):
            raise SettingsError(f'returns is "value" or "reference", not {self.returns!r}')
        if self.keep is not None and self.returns == "reference":
            raise SettingsError('keep is for others, returns="reference" for calls of this process: use one of them')
        if self.keep is not None and not (is_number(self.keep) and 0 < self.keep <= MOST_KEEP_SECONDS):
            raise SettingsError(f"keep is a number of seconds above 0, at most ten years, or None, not {self.keep!r}")
        if self.keep is not None and self.retry is not None:
            raise SettingsError(
                "keep and a Retry do not go together: each attempt is a task of its own, and one id has one result. "
                "Enqueue a job instead: its result is kept under one id, however often it runs (result_ttl)."
            )
