"""The codec as RQ knows one: `dumps` and `loads`."""

from typing import Any

from farpool_common.codec.decoder import decode
from farpool_common.codec.encoder import encode


class Serializer:
    """A serializer for RQ's queues and workers: msgpack with NumPy arrays, and no pickle.

    Everything is in the one string, arrays too.
    """

    @staticmethod
    def dumps(obj: Any, /) -> bytes:
        """The wire form of a value.  Raises EncodeError."""
        return encode(obj, inline_limit=None).envelope

    @staticmethod
    def loads(data: bytes, /) -> Any:
        """The value that `dumps` wrote; classes must be imported already.  Raises DecodeError."""
        return decode(data)
