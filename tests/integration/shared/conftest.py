"""Each test of this folder that asks for `tools` runs twice: on multiprocessing's own, and on farpool's."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from daemons import wait_for
from shared_keys import receipts, shared_keys

import farpool
from farpool.embedded import Server
from farpool.shared.keeper import keeper

SHARED_SECONDS = "3"


class Multiprocessing:
    """The standard library's: managers make dicts, lists and namespaces, everything else is the module's own."""

    is_farpool = False

    def __init__(self) -> None:
        self._manager: Any = None

    @property
    def manager(self) -> Any:
        if self._manager is None:
            self._manager = multiprocessing.Manager()
        return self._manager

    def close(self) -> None:
        if self._manager is not None:
            self._manager.shutdown()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.manager if name in ("dict", "list", "Namespace") else multiprocessing, name)


class Farpool:
    """Ours."""

    is_farpool = True

    def __init__(self) -> None:
        self.manager = farpool.Manager()

    def close(self) -> None:
        self.manager.shutdown()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.manager if name in ("dict", "list", "Namespace") else farpool, name)


@pytest.fixture(scope="session", autouse=True)
def _folder_of_managers(temporary_folder: Path) -> None:
    """Else multiprocessing makes one of its own within ours, and misses it when the tests are over."""
    folder = temporary_folder / "mp"
    folder.mkdir(exist_ok=True)
    multiprocessing.current_process()._config["tempdir"] = str(folder)  # type: ignore[attr-defined]


@pytest.fixture
def on_server(server: Server, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that this process's shared objects are on; when their owner has ended, nothing of them is left."""
    monkeypatch.setenv("FARPOOL_URL", server.url)
    monkeypatch.setenv("FARPOOL_SHARED_SECONDS", SHARED_SECONDS)
    yield server
    keeper().close()
    wait_for(lambda: not shared_keys(client), lambda: f"keys left: {shared_keys(client)}")
    assert all(0 < expires_ms <= 60_000 for expires_ms in receipts(client))


@pytest.fixture(params=["multiprocessing", "farpool"])
def tools(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One of the two."""
    if request.param == "farpool":
        request.getfixturevalue("on_server")
    found = Farpool() if request.param == "farpool" else Multiprocessing()
    yield found
    found.close()


class Background:
    """A call in a thread."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._outcome: list[Any] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(function, args), daemon=True)
        self._thread.start()

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            self._outcome.append(function(*args))
        except BaseException as error:
            self._error.append(error)

    def is_waiting(self) -> bool:
        """Whether it has not ended, after a while in which it could have."""
        self._thread.join(0.1)
        return self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(30)
        assert not self._thread.is_alive(), "it still waits"
        if self._error:
            raise self._error[0]
        return self._outcome[0]


@pytest.fixture
def background() -> Callable[..., Background]:
    """Starts calls in threads."""
    return Background
