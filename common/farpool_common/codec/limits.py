"""How much a decoder builds from bytes that somebody else wrote.

A message within these limits can still be large; what they rule out is that few bytes make a lot of
memory.  Measured with msgpack 1.2.4 on CPython 3.11, bytes of memory per byte on the wire, at worst:
deques 154, dicts 77, lists 64, sets 56, short text 21, numbers 13, large arrays 2 while decoding.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What `decode` accepts.  Each limit is a number of bytes or of things."""

    max_bytes: int = 512 * 1024 * 1024
    """Size of an envelope.  Redis itself stores no longer string (proto-max-bulk-len)."""

    max_containers: int = 1_000_000
    """Lists, tuples, sets, dicts and other tagged values together.  One takes 64 (a list) to 232 bytes
    (a dict of one key), at worst 768 (a deque), so a million of them takes some 100 MB and never 1 GB."""


DEFAULT = Limits()
"""`encode` refuses what `decode` would refuse with these."""

MAX_DIMENSIONS = 32
"""Of an array.  NumPy 2 allows 64, NumPy 1 only 32, and the two may be at the ends of one wire."""

MAX_ITEM_BYTES = 64 * 1024 * 1024
"""Size of one element of an array (text of fixed width, records).  An empty array may announce any
size, and whoever makes a filled array of the same dtype pays for it (guess)."""

MAX_EMPTY_ITEMS = 1_000_000
"""Elements of an array whose elements have no bytes: the size of the message does not bound them (guess)."""

MAX_DTYPE_DEPTH = 16
"""Records within records of one dtype (guess)."""

MAX_CLASS_NAME = 500
"""Characters of a class's name: it may end up in a log (guess)."""

MAX_FRACTION_BYTES = 16 * 1024
"""Size of a numerator or denominator: reducing a fraction takes time quadratic in it (guess)."""

MAX_EQUAL_HASHES = 256
"""Keys of one dict, or elements of one set, with the same hash.  Chosen keys (multiples of 2**61 - 1)
would make building a dict of n of them take n * n steps (guess)."""
