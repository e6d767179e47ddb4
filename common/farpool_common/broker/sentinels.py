"""Connections to whichever server is the primary of a service now: sentinels are asked at each connect.

And once a second of use: after SENTINEL FAILOVER the old primary takes writes for some 8 s more, and what it
takes is lost when it becomes a replica.
"""

import threading
import time
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TooLate
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from farpool_common.service import Service, parse_service

ASK_SECONDS = 1.0
"""How long one sentinel may take to answer: the others wait to be asked (guess)."""


LOOK_SECONDS, LOOK_AGAIN_SECONDS = 1.0, 10.0
"""How old our knowledge of the primary may be; and when no sentinel tells, how long its server is used on (guesses)."""


class UnknownServiceError(MasterNotFoundError):
    """All sentinels answer, and none has heard of the service."""


class Sentinels(Sentinel):
    """redis-py's, whose errors say which sentinels were asked and what is wrong.  Thread-safe."""

    def __init__(self, service: Service) -> None:
        user, password = service.sentinel_login
        super().__init__(  # type: ignore[no-untyped-call]
            service.sentinels,
            sentinel_kwargs={
                "username": user,
                "password": password,
                "socket_timeout": ASK_SECONDS,
                "socket_connect_timeout": ASK_SECONDS,
                "retry": Retry(NoBackoff(), 0),
            },
        )
        self._lock = threading.Lock()

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Host and port of the primary.  The sentinel that knew it is asked first the next time."""
        with self._lock:
            problems: list[tuple[Redis, Exception]] = []
            for sentinel in self.sentinels:
                try:
                    state = _ask(sentinel).get(service_name)
                except (Unreachable, TooLate) as error:
                    problems.append((sentinel, error))
                    continue
                if state is None:
                    problems.append((sentinel, UnknownServiceError("it does not know this service")))
                elif not self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
                    problems.append((sentinel, MasterNotFoundError("the primary is down and no other was chosen yet")))
                else:
                    self.sentinels.remove(sentinel)
                    self.sentinels.insert(0, sentinel)
                    return state["ip"], state["port"]
            raise _no_primary(service_name, problems)


def _ask(sentinel: Redis) -> dict[str, dict[str, Any]]:
    """The services that it knows.  Asked seldom, so no connection is kept that might break in the meantime."""
    try:
        return sentinel.sentinel_masters()  # type: ignore[return-value]
    finally:
        sentinel.close()


def _no_primary(service: str, problems: list[tuple[Redis, Exception]]) -> Unreachable:
    """The error that says most: a wrong password or name can be put right, an outage passes."""
    told = "; ".join(f"sentinel {_place(sentinel)}: {str(error).rstrip('.')}" for sentinel, error in problems)
    kinds = {type(error) for _, error in problems}
    if kinds == {UnknownServiceError}:
        return UnknownServiceError(f"no sentinel knows a service {service}: {told}")
    if kinds == {AuthenticationError}:
        return AuthenticationError(f"{told} (the sentinels' own password: ?sentinel_password=)")
    if MasterNotFoundError in kinds:
        return MasterNotFoundError(f"service {service} has no primary now: {told}")
    return MasterNotFoundError(f"no sentinel that answers knows a primary of service {service}: {told}")


def _place(sentinel: Redis) -> str:
    known = sentinel.connection_pool.connection_kwargs
    return f"{known['host']}:{known['port']}"


class ServicePool(SentinelConnectionPool):
    """redis-py's, that drops its connections when the sentinels name another primary."""

    _look_at = 0.0

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """A connection to a server that was the primary a second ago."""
        self.look()
        return super().get_connection(*args, **options)

    def look(self) -> tuple[str, int] | None:
        """Where the primary is; None where that was never known.  redis-py drops idle connections elsewhere,
        and others when they are given back."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            try:
                self.get_master_address()  # type: ignore[no-untyped-call]
            except (Unreachable, TooLate):
                self._look_at = time.monotonic() + LOOK_AGAIN_SECONDS
        found: tuple[str, int] | None = self.master_address
        return found


def primary_of(client: Redis) -> tuple[str, int] | None:
    """Where sentinels say that the server of this client is; None where there are no sentinels."""
    pool: Any = client.connection_pool
    return pool.look() if isinstance(pool, ServicePool) else None


def service_client(url: str, **options: Any) -> Redis:
    """A client of a service's primary.  Options in the URL win, as with `Redis.from_url`."""
    service = parse_service(url)
    said: dict[str, Any] = parse_url(service.server_url)  # type: ignore[no-untyped-call]
    said.pop("host")
    is_tls = said.pop("connection_class", None) is SSLConnection
    known = {**options, **said, "ssl": is_tls, "redis_connect_func": _greet}
    return Redis.from_pool(ServicePool(service.name, Sentinels(service), **known))  # type: ignore[no-untyped-call]


def _greet(connection: Any) -> None:
    """Log in, and see that this is a primary: a sentinel that was cut off names one of the past."""
    connection.on_connect()
    connection.send_command("ROLE")
    try:
        role = connection.read_response()[0]
    except NoPermissionError:
        return  # then the first write tells
    if role not in (b"master", "master"):
        raise Unreachable(f"{connection.host}:{connection.port} is a replica now, not the primary of the service")
