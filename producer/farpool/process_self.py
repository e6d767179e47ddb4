"""What `self` is in the `run` of a process that travelled to a worker."""

from collections.abc import Sequence
from typing import Any

from farpool_common.errors import DecodeError
from farpool_common.handles import Handle
from farpool_common.names import class_name, loaded_class

OWN = "name", "daemon"
"""Attributes of every process that `run` may ask for."""


class ProcessSelf(Handle):
    """Has the attributes of a process, and the methods of its class.  It is no instance of it: `super()` does not
    work, and what `run` sets stays on the worker."""

    def __init__(self, class_name: str, attributes: dict[str, Any]) -> None:
        self._class_name, self._attributes = class_name, attributes
        vars(self).update(attributes)

    @classmethod
    def of(cls, process: Any) -> "ProcessSelf":
        """Of a process that is about to start."""
        attributes = {name: getattr(process, name) for name in OWN}
        attributes |= {name: value for name, value in vars(process).items() if not name.startswith("_")}
        return cls(class_name(type(process)), attributes)

    def description(self) -> tuple[str, str, Sequence[Any]]:
        """The class's name, and the attributes."""
        return "process", self._class_name, [self._attributes]

    @classmethod
    def from_description(cls, object_id: str, details: Sequence[Any]) -> "ProcessSelf":
        """As it was sent."""
        (attributes,) = details
        if not isinstance(attributes, dict):
            raise DecodeError("the attributes of a process are a dict")
        return cls(object_id, attributes)

    def __getattr__(self, name: str) -> Any:
        # The class's module is loaded here already, for its `run` is what the worker runs.
        if name.startswith("__") or "_class_name" not in self.__dict__:
            raise AttributeError(name)
        found = getattr(loaded_class(self._class_name), name)
        return found.__get__(self) if hasattr(found, "__get__") else found
