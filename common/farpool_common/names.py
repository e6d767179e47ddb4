"""Names of functions and classes that mean the same in every process.

A name is `module:qualname`.  Code in the script that was started lives in `__main__`; its name on the
wire is the module under which other processes can import the same file.
"""

import sys
import sysconfig
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any

from farpool_common.errors import DecodeError, FunctionNotImportableError
from farpool_common.escape import printable

_PACKAGE_FOLDERS = {"site-packages", "dist-packages"}


def main_module_name() -> str | None:
    """The name under which another process can import `__main__`, or None (a notebook, `python -c`)."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        name: str = spec.name
        return name.removesuffix(".__main__") if name.endswith(".__main__") else name
    file = _main_file(main)
    if file is None or not Path(file).stem.replace("-", "_").isidentifier():
        return None
    return Path(file).stem


def main_folder() -> Path | None:
    """The folder of the script that was started, where `main_module_name` can be imported."""
    main = sys.modules.get("__main__")
    file = _main_file(main)
    if file is None or getattr(main, "__spec__", None) is not None:
        return None
    return Path(file).resolve().parent


def _main_file(main: ModuleType | None) -> str | None:
    file: str | None = getattr(main, "__file__", None)
    return None if file == "<stdin>" else file  # `python < script.py` calls it that


def function_name(function: Callable[..., Any]) -> str:
    """`module:qualname` under which workers import a function.

    Raises FunctionNotImportableError for lambdas, closures, bound methods and what was typed into an
    interactive session, and says what to do.
    """
    if isinstance(function, partial):
        raise TypeError("take a partial apart with `unwrapped` first")
    module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module is None and qualname is None:  # NumPy's ufuncs carry only a __name__
        module, qualname = _home_of(function)
    described = f"{module}.{qualname}" if qualname else repr(function)
    if not isinstance(module, str) or not isinstance(qualname, str):
        raise _not_importable(described, "it is no function of a module")
    if is_bound(function):
        raise _not_importable(described, "it is a method of an object")
    if "<" in qualname:
        what = "a lambda" if "<lambda>" in qualname else "defined inside another function"
        raise _not_importable(described, f"it is {what}")
    if module == "__main__":
        portable = main_module_name()
        if portable is None:
            raise _not_importable(described, _why_main_has_no_name())
        return f"{portable}:{qualname}"
    if _lookup(module, qualname) is None:
        raise _not_importable(described, f"{module} has no attribute {qualname!r}")
    return f"{module}:{qualname}"


def _why_main_has_no_name() -> str:
    file = _main_file(sys.modules.get("__main__"))
    if file is None:
        return "it was defined in an interactive session"
    return f"a script called {printable(Path(file).name)!r} cannot be imported"


def is_bound(function: Callable[..., Any]) -> bool:
    """Whether this is a method of an object; one of a class has a name like any function."""
    return isinstance(function, MethodType) and not isinstance(function.__self__, type)


def unwrapped(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """A call of a `functools.partial` as the call it stands for."""
    call: Any = function
    while isinstance(call, partial):
        call, args, kwargs = call.func, call.args + args, {**call.keywords, **kwargs}
    return call, args, kwargs


def class_name(found: type) -> str:
    """`module:qualname` of a class, portable when it lives in `__main__`.

    One that came here with its code lives in the `__main__` of who sent it.
    """
    module = found.__module__
    if module in ("__main__", "__mp_main__") and _lookup(module, found.__qualname__) is found:
        module = main_module_name() or module
    return f"{module}:{found.__qualname__}"


def loaded_class(name: str) -> type:
    """A class by name, from builtins and modules that are already imported; imports nothing.

    Raises DecodeError.
    """
    module, _, qualname = name.partition(":")
    if module == main_module_name():
        module = "__main__"
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        # Not getattr: a module with a `__getattr__` of its own (numpy, scipy) would import what is asked for.
        found = getattr(found, "__dict__", {}).get(part)
    if not isinstance(found, type):
        raise DecodeError(f"class {name} is not loaded here: import its module before reading the value")
    return found


@lru_cache(1024)
def is_installed(module: str) -> bool:
    """Whether a loaded module belongs to Python itself or to an installed package."""
    found = sys.modules.get(module)
    if found is None or module in ("__main__", "__mp_main__"):
        return False
    file = getattr(found, "__file__", None)
    if file is None:  # built in; a namespace package has a path
        return not hasattr(found, "__path__")
    folder = Path(file).resolve()
    if _PACKAGE_FOLDERS.intersection(folder.parts):
        return True
    return any(folder.is_relative_to(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib"))


def _lookup(module: str, qualname: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _home_of(function: Any) -> tuple[str | None, str | None]:
    """Module and name of a callable that does not know its module (a NumPy ufunc)."""
    name = getattr(function, "__name__", None)
    module = type(function).__module__
    if isinstance(name, str) and _lookup(module, name) is function:
        return module, name
    return None, None


def _not_importable(function: str, why: str) -> FunctionNotImportableError:
    return FunctionNotImportableError(
        f"workers import functions by name, and {function} has none: {why}. Move it to the top level of a "
        f"module (or of the script that you run), or share a key (`farpool key --new`) so that its code can "
        f"travel signed. Nothing was sent."
    )
