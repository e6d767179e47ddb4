"""The address of a client that somebody else made, as a URL that our own connections can be made from."""

from typing import Any
from urllib.parse import quote, urlencode

import redis
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

from farpool_common.errors import SettingsError

_SCHEMES: dict[type[Any], str] = {Connection: "redis", SSLConnection: "rediss", UnixDomainSocketConnection: "unix"}

_TRAVELLING = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
"""Options of a connection that have a place in a URL."""


def url_of(connection: redis.Redis) -> str:
    """The URL of the server that a client speaks to.  Raises SettingsError where no URL says it."""
    pool = connection.connection_pool
    known: dict[str, Any] = pool.connection_kwargs
    scheme = _SCHEMES.get(pool.connection_class)
    if scheme is None or type(pool).__name__ == "SentinelConnectionPool":
        raise SettingsError(
            f"a connection of class {pool.connection_class.__name__} cannot be made again from an address: give the "
            f"worker a plain one, redis.Redis.from_url(...)"
        )
    if known.get("credential_provider") is not None:
        raise SettingsError("a credential provider cannot travel to other connections: give a user and a password")
    login = _login(known.get("username"), known.get("password"))
    options = {name: known[name] for name in _TRAVELLING if known.get(name) not in (None, "")}
    if scheme == "unix":
        options["db"] = known.get("db") or 0
        place = quote(known["path"])
    else:
        host = known.get("host", "localhost")
        shown = f"[{host}]" if ":" in host else quote(host)
        place = f"{shown}:{known.get('port', 6379)}/{known.get('db') or 0}"
    query = urlencode({name: _shown(value) for name, value in options.items()})
    return f"{scheme}://{login}{place}" + (f"?{query}" if query else "")


def _login(user: str | None, password: str | None) -> str:
    if not user and not password:
        return ""
    return f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"


def _shown(value: object) -> str:
    return getattr(value, "name", str(value)).lower().removeprefix("cert_")
