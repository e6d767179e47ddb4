"""A primary that sentinels know by a name: what a `redis+sentinel://` URL says.

redis+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/SERVICE/DB?sentinel_password=...  User and password are
those of the servers; `rediss+sentinel://` means TLS to the servers.  Whatever else stands behind the question
mark means what it means in the URL of a single server.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
"""And the scheme of the same servers without sentinels."""

DEFAULT_PORT = 26379


@dataclass(frozen=True)
class Service:
    """`server_url` is the URL of a server of this service but for its place."""

    name: str
    sentinels: tuple[tuple[str, int], ...]
    server_url: str = field(repr=False)
    sentinel_login: tuple[str | None, str | None] = field(default=(None, None), repr=False)
    """User and password of the sentinels, where they have them."""


def is_service(url: str) -> bool:
    """Whether sentinels have to be asked where the server is."""
    return url.partition("://")[0] in SCHEMES


def parse_service(url: str) -> Service:
    """What the URL says.  Raises ValueError, which never quotes it."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its text quotes the URL
        raise ValueError("its sentinels cannot be read: write HOST:26379, with commas between several") from None
    login, at, hosts = parts.netloc.rpartition("@")
    name, _, database = parts.path.strip("/").partition("/")
    if parts.fragment:
        raise ValueError("it has a # in it (in a password, write %23)")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise ValueError("after the sentinels comes the name of a service, as in redis+sentinel://HOST:26379/mymaster")
    if database and not database.isdecimal():
        raise ValueError("what follows the name of the service is not a database number")
    options = dict(parse_qsl(parts.query))
    sentinel_login = options.pop("sentinel_username", None), options.pop("sentinel_password", None)
    query = f"?{urlencode(options)}" if options else ""
    server_url = f"{SCHEMES[parts.scheme]}://{login}{at}localhost/{database or 0}{query}"
    return Service(name, tuple(map(_host_and_port, hosts.split(","))), server_url, sentinel_login)


def _host_and_port(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::(\d{1,5}))?", text)
    if found is None:
        raise ValueError("a sentinel cannot be read: write HOST:26379, with commas between several")
    port = int(found[2] or DEFAULT_PORT)
    if not 0 < port < 65536:
        raise ValueError("the port of a sentinel is not between 1 and 65535")
    return unquote(found[1].strip("[]")), port
