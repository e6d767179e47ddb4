"""What shared objects hold, as bytes: farpool's codec, under the trust that holds in this process."""

from typing import Any

from farpool_common import home
from farpool_common.codec import decode, encode


def packed(value: Any) -> bytes:
    """A value as one string of bytes.  Raises EncodeError, a TypeError, which says what cannot travel."""
    return encode(value, inline_limit=None).envelope


def unpacked(data: bytes) -> Any:
    """The value again.  Classes in it must be loaded here; in a task, allowed.  Raises DecodeError."""
    here = home.current()
    return decode(data, classes=None if here is None else here.classes)
