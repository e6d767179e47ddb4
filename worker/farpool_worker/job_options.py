"""What children need to know about jobs of RQ producers: plain values that travel to them at their start."""

from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from farpool_common.border import RQ_RESULT_SECONDS, Border, is_verified
from farpool_common.errors import SettingsError
from farpool_common.formats import FORMATS, Format
from farpool_common.signing import SigningKey
from farpool_worker.log import log


@dataclass(frozen=True, kw_only=True)
class RqOptions:
    """What RQ's own code runs with: the server, the worker whose name it carries, and what a user of
    `rq worker` may set.  Classes and handlers are dotted names; empty ones mean RQ's own."""

    url: str
    prefix: str
    worker: str
    queues: tuple[str, ...]
    result_seconds: int = RQ_RESULT_SECONDS
    maintenance_seconds: float = 600.0
    handlers: tuple[str, ...] = ()
    killed_handler: str = ""
    is_default_handler_off: bool = False
    worker_class: str = ""
    job_class: str = ""
    queue_class: str = ""
    serializer: str = ""


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Formats that are read; `rq=None`: RQ's own code does not run here.

    `preload` are modules to import, or functions `module:function` to call, before the first task.
    `home` is the server's URL and key prefix, where handles of shared objects connect; None: they cannot.
    `key` opens functions that travel by value; None: they do not run here.
    """

    accept: tuple[Format, ...] = ("msgpack",)
    rq: RqOptions | None = None
    preload: tuple[str, ...] = ()
    home: tuple[str, str] | None = field(default=None, repr=False)
    key: SigningKey | None = field(default=None, repr=False)

    def fields(self) -> list[Any]:
        """What travels."""
        home, key = self.home and list(self.home), self.key and [self.key.secret, self.key.source, list(self.key.older)]
        return [list(self.accept), self.rq and asdict(self.rq), list(self.preload), home, key]

    @classmethod
    def from_fields(cls, fields: list[Any]) -> "JobOptions":
        """Read it again."""
        accept, rq, preload, home, key = fields
        fields_of_rq: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in (rq or {}).items()}
        options = RqOptions(**fields_of_rq) if rq else None
        return cls(
            accept=tuple(accept),
            rq=options,
            preload=tuple(preload),
            home=home and (home[0], home[1]),
            key=key and SigningKey(key[0], key[1], tuple(key[2])),
        )


RECOGNISED = (
    *("pickle", "json", "farpool.Serializer", "farpool_common.codec.serializer.Serializer"),
    *(f"rq.serializers.{name}Serializer" for name in ("Default", "Pickle", "JSON")),
)
"""Serializers whose formats are told from each other job by job."""


def own_serializer(name: str | None) -> str:
    """The dotted name of a serializer that is the user's own; empty for those that are recognised."""
    return "" if name is None or name in RECOGNISED else name


def formats(text: str) -> tuple[Format, ...]:
    """Formats from `msgpack,json,pickle`.  Raises SettingsError."""
    words = tuple(word.strip().lower() for word in text.split(",") if word.strip())
    found = tuple(known for known in FORMATS if known in words)
    if not found or len(found) < len(set(words)):
        raise SettingsError(f"--accept {text!r}: formats are {', '.join(FORMATS)}, with commas between them")
    return found


def border_of(rq: RqOptions) -> Border:
    """Which jobs are left to RQ's own code."""
    version = metadata.version("rq")
    if not is_verified(version):
        log.warning("rq %s is not a version that farpool was compared with: RQ's own code runs every job", version)
    own = rq.worker_class or rq.job_class or rq.queue_class
    return Border(
        result_seconds=rq.result_seconds,
        rq_runs_all=bool(own) or not is_verified(version),
        rq_fails_all=bool(rq.handlers or rq.killed_handler) or rq.is_default_handler_off,
    )
