"""`farpool.put`: a value for many tasks, stored once."""

from typing import TYPE_CHECKING, TypeVar

from farpool.client.connect import find_server
from farpool.client.objects import keeper_of
from farpool_common.codec import Ref

if TYPE_CHECKING:
    from farpool.submitter import Submitter

T = TypeVar("T")


def put(value: T, executor: "Submitter | None" = None) -> Ref[T]:
    """Store an array or another value once, for any number of calls; give them the reference in its place.

    Each host fetches it once, and all its processes see the same memory: arrays are read-only, and nobody should
    change anything else either.  It stays as long as the reference lives, or a call that was given it.  The server
    is the executor's, or the one that `Executor()` would use.  Raises EncodeError and TooLargeError when the value
    cannot travel, and ServerError when the server cannot take it.
    """
    return keeper_of(find_server(None)).put(value) if executor is None else executor.put(value)
