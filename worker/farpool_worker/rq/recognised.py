"""RQ's jobs, each with the serializer that its data was written with."""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from rq.job import Job
from rq.serializers import DefaultSerializer, JSONSerializer, Serializer
from rq.utils import import_attribute

from farpool_common import codec
from farpool_common.formats import Format, format_of


class Sealed:
    """For what may not be read here: RQ then keeps the bytes as they are, and arguments raise its own error."""

    def loads(self, _: bytes) -> Any:
        """Refuse."""
        raise ValueError("this worker does not read this format")

    def dumps(self, value: Any) -> bytes:
        """Refuse."""
        raise ValueError("this worker does not write this format")


SERIALIZERS: dict[Format, Serializer] = {
    "pickle": DefaultSerializer,
    "json": JSONSerializer,
    "msgpack": codec.Serializer,
    "unknown": Sealed(),
}


class Recognised:
    """Mixed into a class of jobs: reading a record chooses the serializer."""

    accepted: Collection[Format] = ()
    serializer: Serializer

    def restore(self, raw_data: Any) -> Any:
        """Read a record of Redis."""
        written = format_of(raw_data.get(b"data", b""))
        self.serializer = SERIALIZERS[written if written in self.accepted else "unknown"]
        return super().restore(raw_data)  # type: ignore[misc]


@lru_cache
def job_class(name: str, accepted: tuple[Format, ...], serializer: str) -> type[Job]:
    """RQ's class of jobs, or a user's; with a serializer of the user's it is left as it is."""
    own: Any = import_attribute(name) if name else Job
    found: type[Job] = own if serializer else type(own.__name__, (Recognised, own), {"accepted": accepted})
    return found
