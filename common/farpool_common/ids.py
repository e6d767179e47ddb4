"""Ids that nobody else makes: 128 random bits, as 32 hexadecimal digits.

The system is asked for many at once, for asking costs more than everything else that a small task needs one for.
"""

import os
from collections import deque

_BYTES, _AT_ONCE = 16, 256
_ready: deque[str] = deque()


def new_id() -> str:
    """A new id.  Any thread may ask, and a forked process gets others than its parent."""
    while True:
        try:
            return _ready.pop()
        except IndexError:
            digits = os.urandom(_BYTES * _AT_ONCE).hex()
            _ready.extend(digits[at : at + 2 * _BYTES] for at in range(0, len(digits), 2 * _BYTES))


os.register_at_fork(after_in_child=_ready.clear)
