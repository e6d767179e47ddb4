"""Namespaces over many hosts: an object whose attributes are shared."""

from typing import Any

from farpool.shared.dicts import _MISSING, Items
from farpool.shared.wire import packed, unpacked


class Namespace(Items):
    """A manager's `Namespace` over hosts.  Attributes that begin with an underscore are this handle's own.

    `free`, `name` and the like, which all shared objects have, cannot be attributes of it.  `first` is what it holds
    at first, unless one of that `name` exists.
    """

    kind = "namespace"

    def __init__(self, *, name: str | None = None, url: str | None = None, **first: Any) -> None:
        if b"place" not in self._make(name, url):
            for attribute, value in first.items():
                setattr(self, attribute, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = self._read(name.encode())
        if value is _MISSING:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self._run("dict_write", "set", name.encode(), packed(value))

    def __delattr__(self, name: str) -> None:
        if name.startswith("_"):
            object.__delattr__(self, name)
        elif self._take(name.encode()) is _MISSING:
            raise AttributeError(name)

    def __str__(self) -> str:
        shown = (f"{key.decode()}={unpacked(value)!r}" for key, value in self._all())
        return f"Namespace({', '.join(sorted(shown))})"
