"""Values that the codec does not know, where producers and workers share a key: pickled by cloudpickle, signed, and
unpickled by whoever has the key.

    value -> Sealed (a signed pickle, large buffers beside it) -> value

The signature covers the pickle, which can run code.  It does not cover the content of large buffers, as it does not
that of other arguments and results.
"""

import pickle
from collections.abc import Callable, Sequence
from io import BytesIO
from types import ModuleType
from typing import Any

import cloudpickle

from farpool_common.by_value import body_of, label_of, read_body, shipping
from farpool_common.codec import INLINE_LIMIT, Sealed
from farpool_common.errors import CodeNotTrustedError, DecodeError, EncodeError
from farpool_common.names import is_installed
from farpool_common.signing import KEY, SEAL_BYTES, SigningKey

VALUE = "farpool value"
"""What the signature is for: one for a function does not do for a value."""

StandIn = Callable[[Any], Any]
"""Given an array whose content would travel, returns it or a reference in its place."""


class Sealer:
    """The codec's `Seal` over a key; without one nothing is sealed, and nothing opened."""

    def __init__(self, key: SigningKey | None, ship: Sequence[ModuleType] = ()) -> None:
        self._key, self._ship = key, ship

    def sealed(self, value: Any, stand_in: StandIn | None = None) -> Sealed:
        """A pickle of the value as it is now, its large buffers beside it.

        `stand_in` may give references in place of arrays in it.  Raises EncodeError.
        """
        if self._key is None:
            raise EncodeError(f"there is no key to sign {_named(value)} with")
        buffers: list[Any] = []
        try:
            with shipping(self._ship):
                pickled = _pickled(value, buffers, stand_in)
        except Exception as error:
            raise EncodeError(
                f"{_named(value)} cannot travel, not even pickled: {type(error).__name__}: {error}. Send what it is "
                "made of, and make it again there."
            ) from error
        body = body_of(_named(value), pickled)
        return Sealed(self._key.seal(VALUE, body) + body, buffers)

    def opened(self, sealed: Sealed) -> Any:
        """The value.  Nothing is unpickled before the signature was found good.

        Raises CodeNotTrustedError, PythonVersionError and DecodeError.
        """
        if self._key is None:
            raise CodeNotTrustedError(
                f"there is no key here, so no value is unpickled: start producers and workers with the same {KEY}."
            )
        seal, body = sealed.signed[:SEAL_BYTES], sealed.signed[SEAL_BYTES:]
        self._key.check(VALUE, seal, body)
        label, pickled = read_body(body)
        try:
            return pickle.loads(pickled, buffers=sealed.buffers)
        except Exception as error:
            raise DecodeError(
                f"a pickled {label} cannot be put together here: {type(error).__name__}: {error}. Install on every "
                "host what it needs, in the same version, or ship its module: Executor(ship=[module])."
            ) from error

    def is_preferred(self, found: type) -> bool:
        """Whether a class belongs to an installed package, whose classes workers do not look up by name."""
        return is_installed(found.__module__)


def _pickled(value: Any, buffers: list[Any], stand_in: StandIn | None) -> bytes:
    def take(buffer: pickle.PickleBuffer) -> bool:
        """Leave a large buffer out of the pickle; True keeps it in."""
        raw = buffer.raw()
        if raw.nbytes < INLINE_LIMIT:
            return True
        import numpy as np  # where there are such buffers it is loaded

        array = _owner(memoryview(buffer).obj, np)
        found = array if stand_in is None else stand_in(array)
        buffers.append(np.frombuffer(raw, np.uint8) if found is array else found)
        return False

    file = BytesIO()
    cloudpickle.Pickler(file, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=take).dump(value)
    return file.getvalue()


def _owner(array: Any, np: Any) -> Any:
    """The array that the user knows: NumPy pickles one in Fortran's order as a passing view of it."""
    base: Any = getattr(array, "base", None)
    if type(base) is np.ndarray and base.nbytes == array.nbytes and base.ctypes.data == array.ctypes.data:
        return base
    return array


def _named(value: Any) -> str:
    return label_of(value) if callable(value) else f"{type(value).__module__}.{type(value).__qualname__}"
