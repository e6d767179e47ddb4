"""Which functions travel by name, which with their code, and the lanes of the latter."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MethodType, ModuleType
from typing import Any

from farpool.shipping.lane import Lane
from farpool.shipping.shipment import Route
from farpool_common.by_value import Code, code_of, label_of
from farpool_common.errors import FunctionNotImportableError
from farpool_common.names import function_name, is_bound, is_installed
from farpool_common.signing import KEY, SigningKey, key_here


def way_of(
    function: Callable[..., Any], ship: Sequence[ModuleType] = (), pool_key: SigningKey | None = None
) -> str | Code:
    """The name under which workers import a function, or its code.

    With a key, code is what travels of lambdas, closures, bound methods, and functions of `__main__` and of the
    modules to ship; and the signed name of functions of installed packages, which workers run by a signature only.
    `pool_key` is that of a pool on this machine, which imports what scripts define: with it alone, code is what has no
    name.  Raises FunctionNotImportableError, and SettingsError for a key that cannot be used.
    """
    own = key_here()
    key = own or pool_key
    if own is not None and (_is_at_home_here(function, ship) or is_bound(function)):
        return code_of(function, own, ship)
    if _is_in(function, ship):
        if key is not None:
            return code_of(function, key, ship)
        raise FunctionNotImportableError(
            f"{label_of(function)} is to be shipped, and there is no key: set {KEY} here and at the workers "
            "(`farpool key --new` prints one). Nothing was sent."
        )
    try:
        name = function_name(function)
        _check_found(function, name)
        if key is None or not is_installed(name.partition(":")[0]):
            return name
        return replace(code_of(function, key), is_named=True)
    except FunctionNotImportableError:
        if key is None:
            raise
        return code_of(function, key, ship)


def _check_found(function: Callable[..., Any], name: str) -> None:
    """Raise unless what a worker finds by the name is this function, and nothing that only bears its name."""
    module = getattr(function, "__module__", None) or name.partition(":")[0]
    reached: Any = sys.modules.get(module)
    for part in name.partition(":")[2].split("."):
        reached = getattr(reached, part, None)
    is_same = reached is function or (isinstance(function, MethodType) and reached == function)
    if not is_same and not _stands_for(reached, function):
        raise FunctionNotImportableError(
            f"workers import functions by name, and {name} is not what was given but an object around it, or an older "
            f"one ({type(function).__module__}.{type(function).__qualname__}). scikit-learn wraps its calls so, and "
            "gives them estimators; both travel pickled and signed, which takes a key that producers and workers "
            "share (`farpool key --new`). Nothing was sent."
        )


def _is_at_home_here(function: Callable[..., Any], ship: Sequence[ModuleType]) -> bool:
    return getattr(function, "__module__", None) == "__main__" or _is_in(function, ship)


def _is_in(function: Callable[..., Any], ship: Sequence[ModuleType]) -> bool:
    home = f"{getattr(function, '__module__', None)}."
    return any(home.startswith(f"{module.__name__}.") for module in ship)


class CodeLane(Lane):
    """Calls of a function that travels with its code.  It is over when another took its place."""

    def __init__(self, route: Route, body: bytes) -> None:
        super().__init__(route)
        self.body, self.users, self.is_replaced = body, 0, False

    def is_over(self) -> bool:
        """Whether nobody will add a call any more, and none waits."""
        return self.is_replaced and not self.users and self._is_empty()


class CodeLanes:
    """One open lane for each label: a closure that has changed gets a new one, for it is pickled anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_label: dict[str, CodeLane] = {}

    @contextmanager
    def lane(self, code: Code, opened: Callable[[], CodeLane]) -> Iterator[Lane]:
        """The lane of this code, kept while a call is added; `opened` makes one."""
        with self._lock:
            lane = self._by_label.get(code.label)
            if lane is None or lane.body != code.body:
                if lane is not None:
                    lane.is_replaced = True
                lane = self._by_label[code.label] = opened()
            lane.users += 1
        try:
            yield lane
        finally:
            with self._lock:
                lane.users -= 1


def _stands_for(found: Any, function: Callable[..., Any]) -> bool:
    """Whether this is the task that `@task` made of the function: a call of it calls the function."""
    return bool(getattr(type(found), "stands_for_function", False)) and found.__wrapped__ is function
