"""An executor's client, and what a fork does to it."""

import os
import threading
import weakref
from collections.abc import Callable

from farpool.client.client import Client
from farpool.client.connect import Server
from farpool_common.errors import ForkedError


class Session:
    """Shared by an executor and its views.  After a fork the child makes a client of its own."""

    def __init__(self, open_client: Callable[[], Client], server: Server) -> None:
        self._open_client, self.server = open_client, server
        self._lock = threading.Lock()
        self._is_shut = False
        self.client: Client | None = open_client()
        _SESSIONS.add(self)

    def opened(self) -> Client:
        """The client, made anew in a forked child."""
        with self._lock:
            if self.client is None:
                if self._is_shut:
                    raise RuntimeError("cannot schedule new futures after shutdown")
                self.client = self._open_client()
            return self.client

    @property
    def is_shut(self) -> bool:
        """Whether no client will be made any more."""
        return self._is_shut

    def shut(self) -> None:
        """Let no client be made any more."""
        self._is_shut = True

    def abandon(self) -> None:
        """Nobody can submit any more.  Takes no lock, for the garbage collector calls it."""
        self._is_shut = True
        if self.client is not None:
            self.client.abandon()

    def forget_parent(self) -> None:
        """In a forked child: the threads are not here, and locks may be held by nobody."""
        self._lock = threading.Lock()
        client, self.client = self.client, None
        if client is not None:
            client.disown(ForkedError(os.getppid()))


_SESSIONS: "weakref.WeakSet[Session]" = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_SESSIONS):
        session.forget_parent()


os.register_at_fork(after_in_child=_after_fork)
