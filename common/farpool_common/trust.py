"""Which functions and classes a worker may take from a task, and finding them.

A module is allowed when its top-level name lies directly in one of the worker's folders, so that
packages installed somewhere below such a folder are not, or when the operator named it.
"""

import enum
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from functools import lru_cache, partial
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from farpool_common.errors import DecodeError, FunctionNotAllowedError, FunctionNotFoundError
from farpool_common.escape import printable
from farpool_common.names import loaded_class

MAX_NAME = 1000
"""Characters of a name (guess: far above any real one)."""

_HOW_TO_ALLOW = "Start the worker with --allow {prefix}, or with -P PATH where PATH is the folder that holds it."

_WRAP_IT = "Call it from a function of your own, in a module that the worker may run."

_NEVER_ADVISED = ("builtins", "os", "posix", "subprocess", "runpy", "code", "importlib", "pickle")
"""Whoever allows all of these to strangers allows them everything."""


@dataclass(frozen=True)
class Trust:
    """Folders whose modules may run, names of further modules (and what lies below them), or everything."""

    roots: tuple[Path, ...] = ()
    prefixes: tuple[str, ...] = ()
    everything: bool = False


def enable(trust: Trust) -> None:
    """Make the folders importable, before everything else."""
    roots = [str(root) for root in trust.roots]
    sys.path[:] = roots + [entry for entry in sys.path if entry not in roots]


@lru_cache(maxsize=4096)
def resolve(name: str, trust: Trust) -> Callable[..., Any]:
    """The function of a name: `module:qualname`, or RQ's `module.qualname`.

    Imports its module.  Raises FunctionNotAllowedError and FunctionNotFoundError, whose texts say what to
    do and hold on every host.
    """
    found = _find(name, trust)
    if not callable(found):
        raise FunctionNotFoundError(f"{printable(name)} is no function but a {type(found).__name__}")
    function: Callable[..., Any] = found
    return function


@lru_cache(maxsize=4096)
def class_of(name: str, trust: Trust) -> type:
    """A dataclass or Enum that a value on the wire names.  Raises DecodeError.

    Allowed modules are imported.  Of others only the standard library's Enums are taken, and only when
    they are loaded: making a member of one runs no code of a stranger.
    """
    module = name.partition(":")[0]
    if is_allowed(module, trust):
        try:
            found = _find(name, trust)
        except (FunctionNotAllowedError, FunctionNotFoundError) as error:
            raise DecodeError(f"class {printable(name)}: {error}") from error
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, enum.Enum)):
            return found
    elif module.partition(".")[0] in sys.stdlib_module_names:
        known = loaded_class(name)
        if issubclass(known, enum.Enum):
            return known
    raise DecodeError(
        f"class {printable(name)} is no dataclass or Enum of a module that this worker allows. "
        + _HOW_TO_ALLOW.format(prefix=printable(module))
    )


def is_allowed(module: str, trust: Trust) -> bool:
    """Whether code of a module may run, going by its name."""
    return trust.everything or _is_named(module, trust) or bool(_homes_of(module, trust))


def _find(name: str, trust: Trust) -> Any:
    """The object of a name.  Of several readings of a dotted name the longest module counts, as for RQ."""
    _check_name(name)
    error: ImportError | PermissionError | None = None
    for module, qualname in _readings(name):
        if not is_allowed(module, trust):
            error = error or not_allowed(name, module)
            continue
        try:
            return _reach(_imported(module, trust), qualname, trust)
        except ModuleNotFoundError as missing:
            error = FunctionNotFoundError(
                f"cannot import {printable(name)}: ModuleNotFoundError: {missing}. Install it on every host, "
                f"or start the workers with -P PATH where PATH is the folder that holds it."
            )
    assert error is not None  # a name has at least one reading
    raise error


def _check_name(name: str) -> None:
    parts = name.replace(":", ".", 1).split(".")
    # A script may be called my-script.py; its name is the module's first part, so hyphens are no danger.
    if len(parts) < 2 or len(name) > MAX_NAME or not all(part.replace("-", "_").isidentifier() for part in parts):
        raise FunctionNotFoundError(f"{printable(name)!r} is no name of a function: module:function is one")
    if any(part.startswith("__") for part in parts):
        raise FunctionNotAllowedError(f"{printable(name)} has a part with two underscores; those never run")


def _readings(name: str) -> Iterator[tuple[str, str]]:
    module, colon, qualname = name.partition(":")
    if colon:
        yield module, qualname
        return
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:end]), ".".join(parts[end:])


def _is_named(module: str, trust: Trust) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in trust.prefixes)


def _homes_of(module: str, trust: Trust) -> list[str]:
    """Where the code of a module is, going by the worker's folders: the file, or the folder of a package."""
    top = module.partition(".")[0]
    for root in trust.roots:
        spec = PathFinder.find_spec(top, [str(root)])
        if spec is not None:
            return list(spec.submodule_search_locations or [spec.origin or ""])
    return []


def _imported(name: str, trust: Trust) -> ModuleType:
    """An allowed module.  Raises ModuleNotFoundError only for the module itself, not for what it needs."""
    try:
        if name not in sys.modules:
            importlib.invalidate_caches()  # the file may be younger than the last look at its folder
        module = importlib.import_module(name)
    except BaseException as error:  # a script without a __main__ guard may even call sys.exit
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise
        raise FunctionNotFoundError(
            f"cannot import {printable(name)}: {type(error).__name__}: {printable(str(error))}"
        ) from error
    if not _is_trusted(module, name, trust):
        raise FunctionNotAllowedError(
            f"module {printable(name)} is not the one in the worker's folders: another of that name comes first"
        )
    return module


def _is_trusted(module: ModuleType, name: str, trust: Trust) -> bool:
    """Whether a loaded module is allowed by its name and, for one of a folder, really comes from there."""
    if trust.everything or _is_named(name, trust):
        return True
    homes = _homes_of(name, trust)
    file = getattr(module, "__file__", None)
    places = [file] if file else list(getattr(module, "__path__", ()))
    return bool(places) and all(any(_is_at(place, home) for home in homes) for place in places)


def _is_at(place: str, home: str) -> bool:
    # As written, too: a folder may hold symbolic links to modules that live elsewhere.
    return any(Path(real(place)).is_relative_to(real(home)) for real in (os.path.abspath, os.path.realpath))


def _reach(module: ModuleType, qualname: str, trust: Trust) -> Any:
    """An attribute of a module, reached through nothing but classes, that is at home in an allowed module."""
    found: Any = module
    for part in qualname.split("."):
        if found is not module and not isinstance(found, type):
            raise FunctionNotAllowedError(
                f"{module.__name__}:{qualname} leads through a {type(found).__name__}: a function is reached "
                f"from its own module, by its own name"
            )
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise FunctionNotFoundError(f"cannot find {module.__name__}:{qualname}: {error}") from error
    if callable(found):
        _check_home(found, f"{module.__name__}:{qualname}", trust)
    return found


def _check_home(found: Any, name: str, trust: Trust) -> None:
    """`from os import system` in an allowed module does not allow `os.system`."""
    while isinstance(found, partial):
        found = found.func
    home = getattr(found, "__module__", None) or type(found).__module__
    # The C twin of a module (`_operator`) has its rank.
    for module in (home, home.removeprefix("_")):
        if trust.everything or _is_named(module, trust):
            return
        loaded = sys.modules.get(module)
        if loaded is not None and _is_trusted(loaded, module, trust):
            return
    raise not_allowed(name, home)


def not_allowed(name: str, module: str) -> FunctionNotAllowedError | FunctionNotFoundError:
    """The error that says why code of this module does not run here, and what to do."""
    top = module.partition(".")[0]
    if top not in sys.modules and PathFinder.find_spec(top) is None:
        return FunctionNotFoundError(
            f"cannot import {printable(name)}: ModuleNotFoundError: No module named {top!r}. Install it on every "
            f"host, or start the workers with -P PATH where PATH is the folder that holds it."
        )
    advice = _WRAP_IT if module in _NEVER_ADVISED else _HOW_TO_ALLOW.format(prefix=printable(module))
    return FunctionNotAllowedError(
        f"{printable(name)} may not run here: its code is in module {printable(module)}, which the worker was not "
        f"told to trust. {advice}"
    )
