"""The address of a client that somebody else made, as a URL that our own connections can be made from."""

from typing import Any
from urllib.parse import quote, urlencode

import redis
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from farpool_common.errors import SettingsError
from farpool_common.service import SCHEMES

_SCHEMES: dict[type[Any], str] = {
    Connection: "redis",
    SSLConnection: "rediss",
    UnixDomainSocketConnection: "unix",
    SentinelManagedConnection: "redis+sentinel",
    SentinelManagedSSLConnection: "rediss+sentinel",
}

_TRAVELLING = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
"""Options of a connection that have a place in a URL."""


def url_of(connection: redis.Redis) -> str:
    """The URL of the server that a client speaks to.  Raises SettingsError where no URL says it."""
    pool: Any = connection.connection_pool
    known: dict[str, Any] = pool.connection_kwargs
    scheme = _SCHEMES.get(pool.connection_class)
    if scheme is None:
        raise SettingsError(
            f"a connection of class {pool.connection_class.__name__} cannot be made again from an address: give the "
            f"worker a plain one, redis.Redis.from_url(...), or Sentinel(...).master_for(...)"
        )
    if known.get("credential_provider") is not None:
        raise SettingsError("a credential provider cannot travel to other connections: give a user and a password")
    login = _login(known.get("username"), known.get("password"))
    options = {name: _shown(known[name]) for name in _TRAVELLING if known.get(name) not in (None, "")}
    if scheme == "unix":
        options["db"] = str(known.get("db") or 0)
        place = quote(known["path"])
    elif scheme in SCHEMES:
        place = _service(pool)
        options.update(_sentinel_login(pool.sentinel_manager))
    else:
        host = known.get("host", "localhost")
        place = f"{_host(host)}:{known.get('port', 6379)}/{known.get('db') or 0}"
    query = urlencode(options)
    return f"{scheme}://{login}{place}" + (f"?{query}" if query else "")


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else quote(name)


def _service(pool: Any) -> str:
    """Sentinels, name and database of a pool of connections to a primary."""
    if not pool.is_master:
        raise SettingsError("the connection is to replicas, which take no writes: give the worker master_for(...)")
    known = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    sentinels = ",".join(f"{_host(each['host'])}:{each['port']}" for each in known)
    return f"{sentinels}/{pool.service_name}/{pool.connection_kwargs.get('db') or 0}"


def _sentinel_login(manager: Any) -> dict[str, str]:
    known = manager.sentinel_kwargs
    if known.get("ssl"):
        raise SettingsError("sentinels that want TLS have no place in a URL: let them listen on a port without it")
    return {f"sentinel_{name}": known[name] for name in ("username", "password") if known.get(name)}


def _login(user: str | None, password: str | None) -> str:
    if not user and not password:
        return ""
    return f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"


def _shown(value: object) -> str:
    return getattr(value, "name", str(value)).lower().removeprefix("cert_")
