"""Values become an envelope and buffers.

Plain values go through msgpack's C code at its own speed; `_hook` sees only what msgpack does not know.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgpack import Packer

from farpool_common.codec.containers import TUPLE
from farpool_common.codec.faults import MAX_DEPTH, count_containers, explain
from farpool_common.codec.kinds import Kind, Seal, Writing
from farpool_common.codec.limits import DEFAULT
from farpool_common.codec.references import Ref
from farpool_common.codec.registry import BY_CLASS, kind_of
from farpool_common.codec.scalars import long_int
from farpool_common.codec.sealed import SEALED
from farpool_common.errors import EncodeError

INLINE_LIMIT = 64 * 1024
"""Arrays below it stay in the envelope: a part of its own costs a round trip to store."""


@dataclass(frozen=True)
class Encoded:
    """A value on the wire: the envelope, the arrays that are not in it, and the references that are."""

    envelope: bytes
    buffers: tuple[memoryview, ...] = ()
    refs: tuple[Ref[Any], ...] = ()

    @property
    def nbytes(self) -> int:
        """Size of all of it."""
        return len(self.envelope) + sum(buffer.nbytes for buffer in self.buffers)


def encode(
    value: Any, *, inline_limit: int | None = INLINE_LIMIT, takes_refs: bool = False, seal: Seal | None = None
) -> Encoded:
    """The wire form of a value.  Arrays of `inline_limit` bytes and more become buffers; None: none does.

    The buffers are views of the caller's arrays: send them before the arrays change.  bytearray and
    memoryview arrive as bytes.  References may be in it where `takes_refs`, and nowhere else.  With a `seal`
    whatever else can be pickled travels as well.  Raises EncodeError, whose `path` says which part cannot travel.
    """
    writing = Writing(inline_limit, seal)
    try:
        envelope = _pack(value, writing)
    except MemoryError:
        raise
    except Exception as error:
        raise _explained(value, error, seal) from None
    _check_size(value, len(envelope), writing.inlined)
    if writing.refs and not takes_refs:
        raise EncodeError(
            "a farpool.Ref travels as an argument of an executor's calls only: not in results, not in what is put, "
            "not in jobs of RQ. Send the value"
        )
    return Encoded(envelope, tuple(writing.buffers), tuple(writing.refs.values()))


def _pack(value: Any, writing: Writing) -> bytes:
    hook = _hook(writing)
    # A new packer each time (170 ns): a shared one would be neither safe with threads nor when a
    # dataclass's property encodes something itself.
    try:
        packed: bytes = Packer(default=hook, strict_types=True).pack(value)
    except UnicodeEncodeError:  # lone surrogates, as in names of files; this way costs twice the time
        writing.inlined = 0  # the buffers stay: they are found again
        packed = Packer(default=hook, strict_types=True, unicode_errors="surrogatepass").pack(value)
    return packed


def _hook(writing: Writing) -> Callable[[Any], Any]:
    tuple_mark = TUPLE.mark

    def hook(value: Any) -> Any:
        if type(value) is tuple:  # by far the most frequent
            return [tuple_mark, *value]
        if type(value) is int:
            return long_int(value)
        try:
            kind = kind_of(value)
            if writing.seal is None or not _is_sealed(value, kind, writing.seal):
                return [kind.mark, *kind.write(value, writing)]
        except EncodeError:
            if writing.seal is None:
                raise
        return [SEALED.mark, *SEALED.write(writing.seal.sealed(value), writing)]

    return hook


def _is_sealed(value: Any, kind: Kind, seal: Seal) -> bool:
    """Whether a value is pickled though the codec knows a way: workers would not look up its class."""
    return kind in BY_CLASS and seal.is_preferred(value if isinstance(value, type) else type(value))


def _explained(value: Any, error: Exception, seal: Seal | None) -> EncodeError:
    """The error with the place in the value where it arose."""
    found = explain(value, seal)
    if found is not None:
        return found
    if isinstance(error, EncodeError):
        return error
    if isinstance(error, ValueError) and "recursion" in str(error):
        return EncodeError(f"nested deeper than {MAX_DEPTH:,} levels")
    return EncodeError(f"{type(error).__name__}: {error}")


def _check_size(value: Any, size: int, inlined: int) -> None:
    """Refuse what `decode` would refuse, here, where the caller can do something about it."""
    if size > DEFAULT.max_bytes:
        raise EncodeError(f"{size:,} bytes in one message; {DEFAULT.max_bytes:,} can travel, send a reference")
    most = DEFAULT.max_containers
    if size - inlined > most and count_containers(value, most) > most:  # fewer bytes: fewer containers
        raise EncodeError(
            f"more than {most:,} lists, tuples, dicts and other objects; send NumPy arrays, or fewer at a time"
        )
