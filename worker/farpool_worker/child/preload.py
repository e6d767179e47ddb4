"""What a child does before its first task: import modules, call set-up functions."""

import importlib

from farpool_common.errors import SettingsError


def preload(name: str) -> None:
    """Import `module`, or import it and call `module:function`.  Raises SettingsError, or what it raised."""
    module, _, function = name.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SettingsError(f"--preload {name}: {error}") from error
    if not function:
        return
    call = getattr(found, function, None)
    if not callable(call):
        raise SettingsError(f"--preload {name}: {module} has no function {function}")
    call()
