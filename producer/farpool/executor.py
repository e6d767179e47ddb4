"""The executor: `concurrent.futures` over the workers of many hosts."""

import concurrent.futures
import secrets
import weakref
from collections.abc import Callable, Sequence
from types import ModuleType, TracebackType
from typing import Any, Literal, Self

from farpool.client.client import Client, ClientSettings
from farpool.client.connect import Server, find_server
from farpool.client.session import Session
from farpool.options import CallOptions
from farpool.shipping.coding import way_of
from farpool.submitter import Submitter
from farpool_common.broker import Durability, ProducerBroker
from farpool_common.by_value import Code
from farpool_common.chunk import Initializer
from farpool_common.codec import encode
from farpool_common.errors import (
    ArgumentError,
    ServerBusyError,
    ServerError,
    ServerUnreachableError,
    SettingsError,
    told,
)
from farpool_common.names import unwrapped
from farpool_common.signing import SigningKey


class Executor(Submitter, concurrent.futures.Executor):
    """A `concurrent.futures.Executor` whose calls run on all hosts that serve a queue.

    `url` is the server (`redis://host:6379/0`); without it FARPOOL_URL, RQ_REDIS_URL or REDIS_URL, else
    localhost, else a server and worker of this process's own.  `max_workers` caps how many of this
    executor's tasks are on their way at once.  `initializer(*initargs)` runs once in each worker process
    before it runs calls of this executor.

    `max_queued` bounds how many tasks wait in the queue, whoever sent them.  Calls beyond that wait here
    (`when_full="wait"`), and `submit` blocks once thousands do; or they fail with QueueFullError ("raise").

    `ship` are modules whose functions travel with their code, for which FARPOOL_KEY must be set here and at the
    workers; with it, so do lambdas, closures and what `__main__` defines.

    Raises ServerUnreachableError, ServerRefusedError or ServerUnsuitableError at once; an outage later is
    waited for.  At the end of the program pending calls are waited for, as the standard library does.  A
    process forked from this one gets a connection and threads of its own when it first submits; futures
    that it inherited are completed in the parent only.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        queue: str = "default",
        max_workers: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Sequence[Any] = (),
        durability: Literal["memory", "fsync", "replica"] = "memory",
        max_queued: int | None = None,
        when_full: Literal["wait", "raise"] = "wait",
        ship: Sequence[ModuleType] = (),
    ) -> None:
        options = CallOptions(queue=queue, max_queued=max_queued, when_full=when_full, ship=_modules(ship))
        _check_max_workers(max_workers)
        wanted = _durability(durability)
        server = find_server(url)
        start, code = _initializer(initializer, tuple(initargs), options.ship, server.key)
        settings = ClientSettings(server.place, max_workers, start, server.argument_bytes, code)
        super().__init__(Session(_ClientMaker(server, settings, self._open_broker, wanted), server), options)
        client = self._bound()
        client.live.fresh(queue)
        # Without this, threads of a forgotten executor would run on until the program ends.
        weakref.finalize(self, self._session.abandon).atexit = False

    @staticmethod
    def _open_broker(server: Server) -> ProducerBroker:
        """The broker of a new client; tests put another in its place."""
        return server.broker()

    @property
    def _max_workers(self) -> int:
        """Slots that serve the queue now, at least 1; dask and others read it."""
        return self._bound().live.fresh(self._options.queue)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; with `wait`, return when all are done and the threads have ended.

        `cancel_futures` cancels what no worker has begun.  May be called again.
        """
        self._session.shut()
        client = self._session.client
        if client is None:
            return
        client.refuse_calls()
        if cancel_futures:
            client.cancel_waiting()
        client.close(wait)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all calls; after Ctrl-C, cancel them instead."""
        try:
            if kind is not None and issubclass(kind, KeyboardInterrupt):
                self._cancel_all()
            self.shutdown()
        except KeyboardInterrupt:
            self._cancel_all()
            raise

    def __enter__(self) -> Self:
        return self

    def _cancel_all(self) -> None:
        if self._session.client is not None:
            self._session.client.refuse_calls()
            self._session.client.cancel_all()


class _ClientMaker:
    """Makes a checked client; again in each forked child."""

    def __init__(
        self,
        server: Server,
        settings: ClientSettings,
        open_broker: Callable[[Server], ProducerBroker],
        durability: Durability,
    ) -> None:
        self._server, self._settings, self._open_broker = server, settings, open_broker
        self._durability = durability

    def __call__(self) -> Client:
        broker = self._open_broker(self._server)
        broker.require(self._durability)
        try:
            broker.check()
        except ServerBusyError:  # loading its data, say: an outage that passes
            pass
        except ServerUnreachableError as error:  # its cause is pages of the client library's calls
            broker.close()
            raise type(error)(told(error)) from None
        except ServerError as error:
            broker.close()
            raise error from None
        except BaseException:
            broker.close()
            raise
        return Client(broker, self._settings)


def _check_max_workers(max_workers: Any) -> None:
    if max_workers is None:
        return
    if not isinstance(max_workers, int) or isinstance(max_workers, bool):
        raise TypeError(f"max_workers is a whole number, not {max_workers!r}")
    if max_workers < 1:
        raise ValueError("max_workers must be greater than 0")


def _durability(word: Any) -> Durability:
    try:
        return Durability(word)
    except ValueError:
        raise SettingsError(f'durability is "memory", "fsync" or "replica", not {word!r}') from None


def _modules(ship: Any) -> tuple[ModuleType, ...]:
    found = tuple(ship) if isinstance(ship, (list, tuple)) else (ship,)
    if not all(isinstance(module, ModuleType) for module in found):
        raise SettingsError(f"ship is a list of modules, imported ones, not {ship!r}")
    return found


def _initializer(
    function: Callable[..., object] | None,
    args: tuple[Any, ...],
    ship: Sequence[ModuleType],
    pool_key: SigningKey | None,
) -> tuple[Initializer | None, Code | None]:
    if function is None:
        return None, None
    if not callable(function):
        raise TypeError("initializer must be a callable")
    function, args, kwargs = unwrapped(function, args, {})
    if kwargs:
        raise SettingsError("an initializer takes positional arguments only: pass them as initargs")
    try:
        encode(args, takes_refs=True)
    except Exception as error:
        raise ArgumentError(f"initargs cannot travel: {error}") from error
    way, owner = way_of(function, ship, pool_key), secrets.token_hex(16)
    if isinstance(way, Code):
        return Initializer(owner, way.label, args), way
    return Initializer(owner, way, args), None
