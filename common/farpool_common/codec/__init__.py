"""Values to bytes and back: msgpack with Python's and NumPy's types; pickles only signed, and where a seal is given."""

from farpool_common.codec.columns import is_column, is_packed, packed_column, unpacked_column
from farpool_common.codec.decoder import decode
from farpool_common.codec.encoder import INLINE_LIMIT, Encoded, encode
from farpool_common.codec.faults import explain
from farpool_common.codec.kinds import Seal
from farpool_common.codec.limits import Limits
from farpool_common.codec.references import Ref, Repeated
from farpool_common.codec.registry import is_known
from farpool_common.codec.sealed import Sealed
from farpool_common.codec.serializer import Serializer

__all__ = [
    "INLINE_LIMIT",
    "Encoded",
    "Limits",
    "Ref",
    "Repeated",
    "Seal",
    "Sealed",
    "Serializer",
    "decode",
    "encode",
    "explain",
    "is_column",
    "is_known",
    "is_packed",
    "packed_column",
    "unpacked_column",
]
