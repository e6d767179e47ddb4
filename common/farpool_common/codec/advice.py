"""What to do with a value that cannot travel."""

from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from datetime import date, tzinfo
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from farpool_common.errors import EncodeError

_TRAVELS = (
    "What can travel: None, bool, int, float, complex, str, bytes, lists, tuples, dicts, sets, Decimal, "
    "Fraction, dates and times, UUID, paths, NumPy arrays and scalars, and Enum members, dataclasses and "
    "named tuples whose class is at the top level of a module. With a key that producers and workers share "
    "(`farpool key --new`) whatever can be pickled travels as an argument or result of an executor's call, signed"
)

_ADVICE: Sequence[tuple[Any, str]] = (
    (Generator, "a generator runs where it was made; send list(value)"),
    (Coroutine, "an async function gives this; let a plain function run it, with asyncio.run(...)"),
    (Iterator, "an iterator cannot be read twice; send list(value)"),
    ((FunctionType, BuiltinFunctionType, MethodType), "send the name of a function, and look it up there"),
    (ModuleType, "send the module's name, and import it there"),
    (BaseException, "send str(value), or raise it"),
    (tzinfo, "use zoneinfo.ZoneInfo('Area/City') or datetime.timezone"),
    ((str, bytes, bytearray, int, float, complex), "a subclass would lose its class; convert it to the type below it"),
    (date, "a subclass would lose its class; send a datetime or date"),
    ((list, tuple, set, frozenset, dict), "a subclass would lose its class; convert it to the type below it"),
    (Mapping, "send dict(value)"),
    (Callable, "send what it is made of, and make it again there"),
)


def refusal(value: Any) -> EncodeError:
    """The error for a value that has no place on the wire."""
    found = type(value)
    name = found.__qualname__ if found.__module__ == "builtins" else f"{found.__module__}.{found.__qualname__}"
    for types, advice in _ADVICE:
        if isinstance(value, types):
            return EncodeError(f"{_article(name)} cannot travel: {advice}. {_TRAVELS}.")
    if hasattr(found, "__array__"):  # pandas, PyTorch and many others
        return EncodeError(f"{_article(name)} cannot travel: send numpy.asarray(value). {_TRAVELS}.")
    return EncodeError(f"{_article(name)} cannot travel. {_TRAVELS}.")


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
