"""What all shared objects are: handles of something that lies on the server.

A handle has no state of its own.  It may be passed to tasks, to processes and to threads; there it stands for the
same object.  The process that made an object without a name owns it.
"""

import secrets
import weakref
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import get_spawning_popen
from typing import TYPE_CHECKING, Any, ClassVar, Self

from farpool_common import home
from farpool_common.bells import Wait
from farpool_common.errors import SettingsError, SharedStateGoneError
from farpool_common.handles import Handle, class_of_kind

if TYPE_CHECKING:
    from farpool.client.connect import Server
    from farpool.shared.keeper import Parts
    from farpool.shared.link import Link
    from farpool.shared.until import Until

MOST_NAME = 200

_ANONYMOUS = "~"
"""Begins the ids of objects without a name; no name may begin with it."""

_here: "weakref.WeakValueDictionary[str, Shared]" = weakref.WeakValueDictionary()
"""Handles of this process that know their server: another handle of the same object has the same one."""


class Shared(Handle):
    """A handle.  It connects when it is first used, also after a fork."""

    kind: ClassVar[str]
    bells: ClassVar[tuple[str, ...]] = ()
    horns: ClassVar[tuple[str, ...]] = ()
    others: ClassVar[tuple[str, ...]] = ()

    _id: str
    _server: "Server | None" = None
    _keys: "Parts | None" = None

    def _make(
        self,
        name: str | None,
        url: str | None,
        fields: Mapping[str, Any] | None = None,
        data: tuple[str, bytes] | None = None,
    ) -> dict[bytes, bytes]:
        """Make the object, or find the one of that name, and return its fields.  `data`: a part and its content."""
        from farpool.shared.keeper import NAMED_SECONDS, keeper, life_ms

        self._id = _ANONYMOUS + secrets.token_hex(12) if name is None else _checked(name)
        self._server = _server_for_new(url)
        life = life_ms() if name is None else NAMED_SECONDS * 1000
        known = {"kind": self.kind, "life": life, "named": int(name is not None), **(fields or {})}
        content = None if data is None else (self._link.keys.shared(data[0], self._id), data[1])
        record, broker = self._parts.record, self._link.broker
        if name is not None:
            self._check_kind(self._link.patiently(lambda: broker.kind(record)))
        found = self._link.patiently(lambda: broker.open(record, known, life, content))
        self._check_kind(found[b"kind"])
        _here[self._id] = self
        if name is None:
            keeper().own(self._server, self._parts, self)
        return found

    def _check_kind(self, kind: bytes | None) -> None:
        if kind is not None and kind.decode(errors="replace") != self.kind:
            raise SettingsError(f"{self._id!r} is a {kind.decode(errors='replace')} already, and no {self.kind}")

    def free(self) -> None:
        """Remove the object from the server, for everybody.  Who waits for it, or uses it later, learns that."""
        from farpool.shared.keeper import free, keeper

        free(self._found_server, self._parts)
        keeper().disown(self._parts.record)

    @property
    def name(self) -> str | None:
        """The name under which others find it; None when it has none."""
        return None if self._id.startswith(_ANONYMOUS) else self._id

    # --- steps -----------------------------------------------------------------------------------

    def _run(self, script: str, *args: Any, until: "Until | None" = None) -> list[Any]:
        """One step on this object.  Raises ServerError, SharedStateGoneError."""
        return self._present(self._link.run(script, self._parts.all, args, until))

    def _run_until(
        self, script: str, args: Sequence[Any], until: "Until", wait_of: Callable[[list[Any]], Wait | None]
    ) -> list[Any]:
        """One step that may have to wait; the last answer.  Raises ServerError, SharedStateGoneError."""
        return self._present(self._link.run_until(script, self._parts.all, args, until, wait_of))

    def _fields(self, *names: str) -> list[bytes]:
        """Fields of the record, b"" for those that are not there."""
        answer = self._present(self._link.run("look", [self._parts.record], names))
        return answer[1:]

    def _present(self, answer: list[Any]) -> list[Any]:
        if answer[0] == b"gone":
            raise self._gone()
        return answer

    def _gone(self) -> SharedStateGoneError:
        return SharedStateGoneError(
            f"{self!r} is not on {self._link.place}: the process that made it has ended or let go of it, it was freed, "
            f"or its handle belongs to another server. Keep the handle where it was made, or give it a name."
        )

    # --- where it is -----------------------------------------------------------------------------

    @property
    def _found_server(self) -> "Server":
        if self._server is None:
            self._server = _server_of(self._id)
        return self._server

    @property
    def _link(self) -> "Link":
        from farpool.shared.link import link_to  # redis is loaded where a handle is used, not where one is read

        return link_to(self._found_server)

    @property
    def _parts(self) -> "Parts":
        if self._keys is None:
            from farpool.shared.keeper import Parts

            key = self._link.keys.shared
            groups = (tuple(key(part, self._id) for part in names) for names in (self.bells, self.horns, self.others))
            self._keys = Parts(key("record", self._id), *groups)
        return self._keys

    # --- how it travels --------------------------------------------------------------------------

    def _details(self) -> list[Any]:
        """What a handle must know of its object, beyond its id."""
        return []

    def _restore(self, details: Sequence[Any]) -> None:
        """Take the details in.  Raises anything when they are not this kind's."""
        if details:
            raise ValueError("details")

    def description(self) -> tuple[str, str, Sequence[Any]]:
        """See Handle."""
        return self.kind, self._id, self._details()

    @classmethod
    def from_description(cls, object_id: str, details: Sequence[Any]) -> Self:
        """See Handle."""
        handle = object.__new__(cls)
        handle._id = object_id
        handle._restore(details)
        return handle

    def __reduce__(self) -> tuple[Any, ...]:
        # The address goes only to a process that is being started by this one, never into a stored pickle.
        is_starting = get_spawning_popen() is not None
        return _unpickled, (*self.description(), self._found_server if is_starting else None)

    def __repr__(self) -> str:
        return f"<farpool.{type(self).__name__} {self._id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shared) and (self.kind, self._id) == (other.kind, other._id)

    def __hash__(self) -> int:
        return hash((self.kind, self._id))


def _unpickled(kind: str, object_id: str, details: Sequence[Any], server: "Server | None") -> Shared:
    handle = class_of_kind(kind).from_description(object_id, details)
    assert isinstance(handle, Shared)
    handle._server = server
    return handle


def _checked(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a shared object is a str, not {name!r}")
    if not 0 < len(name) <= MOST_NAME or not name.isprintable() or name.startswith(_ANONYMOUS):
        raise ValueError(f"{name!r} is no name of a shared object: printable, up to {MOST_NAME} characters, no ~ first")
    return name


def _server_for_new(url: str | None) -> "Server":
    """In a task the daemon's server; elsewhere as for an Executor."""
    from farpool.client.connect import find_server

    return _home_server() or find_server(None) if url is None else find_server(url)


def _server_of(object_id: str) -> "Server":
    """Of a handle that came from elsewhere: the daemon's, that of our own handle of it, or the last one used."""
    from farpool.client.connect import last_server

    known = _here.get(object_id)
    ours = None if known is None else known._server
    return ours or _home_server() or last_server()


def _home_server() -> "Server | None":
    """The daemon's, in a task.  Raises SettingsError where the worker keeps that to itself."""
    from farpool.client.connect import Server, runs_tasks
    from farpool_common.broker import masked

    here = home.current()
    if here is None:
        if runs_tasks():
            raise SettingsError(
                "tasks have no shared state here: the worker was started with --no-shared-state, or this is a program "
                "that a task has started. Pass a url to what is made here, or start the worker without that option."
            )
        return None

    return Server(here.url, masked(here.url), here.prefix)
