"""Handles of shared objects as values: what of them travels, and which class reads them.

A handle is a kind, the name or id of an object on the server, and some details; never an address, for that
may hold a password.  The classes are the producer package's.  They are found by name when one is read, so that
neither the codec nor a child loads them before somebody sends one.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from farpool_common.errors import DecodeError

HOMES: Mapping[str, str] = {
    "queue": "farpool.shared.queues:Queue",
    "joinable": "farpool.shared.queues:JoinableQueue",
    "simple": "farpool.shared.queues:SimpleQueue",
    "lock": "farpool.shared.locks:Lock",
    "rlock": "farpool.shared.locks:RLock",
    "semaphore": "farpool.shared.semaphores:Semaphore",
    "bounded": "farpool.shared.semaphores:BoundedSemaphore",
    "event": "farpool.shared.events:Event",
    "condition": "farpool.shared.conditions:Condition",
    "barrier": "farpool.shared.barriers:Barrier",
    "value": "farpool.shared.values:Value",
    "array": "farpool.shared.arrays:Array",
    "dict": "farpool.shared.dicts:Dict",
    "list": "farpool.shared.lists:List",
    "namespace": "farpool.shared.namespaces:Namespace",
    "stream": "farpool.shared.queues:Stream",
    "pipe": "farpool.shared.pipes:Connection",
    "process": "farpool.process_self:ProcessSelf",
    "memory": "farpool.shared_memory:SharedMemory",
}
"""The class of each kind.  Kinds are on the wire: never rename one."""


class Handle(ABC):
    """Something that stands for an object on the server."""

    @abstractmethod
    def description(self) -> tuple[str, str, Sequence[Any]]:
        """Kind, name or id, and details that can be encoded."""

    @classmethod
    @abstractmethod
    def from_description(cls, object_id: str, details: Sequence[Any]) -> "Handle":
        """A handle that connects when it is first used.  Raises anything when the details are not its own."""


def class_of_kind(kind: str) -> type[Handle]:
    """The class that reads a kind of handle.  Raises DecodeError."""
    home = HOMES.get(kind)
    if home is None:
        raise DecodeError(f"no shared object of kind {kind[:100]!r} is known here: another version of farpool wrote it")
    module, _, name = home.partition(":")
    found: type[Handle] = getattr(import_module(module), name)
    return found


def read_handle(kind: str, object_id: str, details: Sequence[Any]) -> Handle:
    """The handle of a description.  Raises DecodeError, or what `from_description` raises."""
    return class_of_kind(kind).from_description(object_id, details)
