"""Where the server is: the URL and key prefix in force, and where each was set.

URLs are checked here, before any connection, because redis-py reads some mistakes as something else
(`redis://host/jobs` becomes database 0).  A refused URL is never quoted when it could hold a password.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from farpool_common.errors import SettingsError
from farpool_common.service import is_service, parse_service

DEFAULT_URL = "redis://localhost:6379/0"
DEFAULT_PREFIX = "rq"

VARIABLES = ("FARPOOL_URL", "RQ_REDIS_URL", "REDIS_URL")
"""Environment variables that may hold the URL, the strongest first."""

PASSWORD_FILE = "FARPOOL_PASSWORD_FILE"
"""Names a file whose first line is the password of a URL that has none: a secret that a container mounts."""

SHAPES = (
    "redis://HOST:6379/0, rediss://USER:PASSWORD@HOST:6379/0 (TLS), unix:///PATH/TO/SOCKET, or "
    "redis+sentinel://HOST:26379,HOST:26379/SERVICE/0 (a service that sentinels know)"
)
HIDDEN = "***"


@dataclass(frozen=True)
class Address:
    """A checked URL.  Its repr and str never show the password."""

    url: str = field(repr=False)
    source: str = "--url"

    def __post_init__(self) -> None:
        _check(self.url, self.source)

    def __str__(self) -> str:
        return self.masked

    @property
    def masked(self) -> str:
        """The URL for logs and messages, its password hidden."""
        parts = urlsplit(self.url)
        user, at, place = parts.netloc.rpartition("@")
        name, colon, _ = user.partition(":")
        shown = f"{parts.scheme}://{name}{colon}{HIDDEN if colon else ''}{at}{place}{parts.path}"
        options = [(key, HIDDEN if "password" in key else value) for key, value in parse_qsl(parts.query)]
        return f"{shown}?{urlencode(options, safe='*/')}" if options else shown

    @property
    def place(self) -> str:
        """`host:port`, the path of the socket, or a service and its sentinels."""
        if is_service(self.url):
            service = parse_service(self.url)
            return f"{service.name} by {', '.join(f'{host}:{port}' for host, port in service.sentinels)}"
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return unquote(parts.path)
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"


def find_address(url: str | None, environ: Mapping[str, str], argument: str = "--url") -> Address:
    """The address in force: argument, FARPOOL_URL, RQ_REDIS_URL, REDIS_URL, or localhost.

    `argument` is what its reader calls the first of them.
    A URL without a password gets the one in the file that FARPOOL_PASSWORD_FILE names.
    An empty variable counts as not set.  Raises SettingsError.
    """
    address = _named(url, environ, argument)
    path = environ.get(PASSWORD_FILE, "").strip()
    if not path or urlsplit(address.url).password is not None:
        return address
    return replace(address, url=_with_password(address.url, _password_in(path)))


def _named(url: str | None, environ: Mapping[str, str], argument: str) -> Address:
    if url is not None:
        return Address(url.strip(), argument)
    for variable in VARIABLES:
        value = environ.get(variable, "").strip()
        if value:
            return Address(value, variable)
    return Address(DEFAULT_URL, "default")


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}").geturl()


def _password_in(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            password = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(
            f"{PASSWORD_FILE}={path} cannot be read: {reason}. Let the user of this process read it."
        ) from None
    if not password:
        raise SettingsError(f"{PASSWORD_FILE}={path} begins with an empty line; that line must be the password.")
    return password


def socket_url(path: str) -> str:
    """The URL of a unix socket."""
    return f"unix://{quote(path)}"


def prefix_from(environ: Mapping[str, str]) -> str:
    """The key prefix from RQ_KEY_PREFIX, by RQ's own rule.  Raises SettingsError."""
    prefix = environ.get("RQ_KEY_PREFIX", DEFAULT_PREFIX)
    if not re.fullmatch(r"[A-Za-z0-9_.:{}-]+", prefix):
        raise SettingsError(
            f"RQ_KEY_PREFIX={prefix!a} cannot begin a key: use letters, digits and _ . : - {{ }} only, "
            f"or unset it for {DEFAULT_PREFIX!r}."
        )
    return prefix


def _check(url: str, source: str) -> None:
    problem = _problem(url)
    if problem is not None:
        raise SettingsError(f"the server's URL from {source} cannot be used: {problem}. A URL is {SHAPES}.")


def _problem(url: str) -> str | None:
    if not url or not url.isprintable() or " " in url:
        return "it is empty" if not url else "it has a blank or a control character in it"
    if is_service(url):
        return _service_problem(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text quotes the URL, perhaps with a part of the password
        return "its host or port cannot be read (a password with / ? # [ ] or @ needs percent signs: / is %2F)"
    if "://" not in url:
        return "it has no scheme"
    if parts.scheme == "unix":
        return _socket_problem(parts)
    if parts.scheme not in ("redis", "rediss"):
        return f"its scheme is {parts.scheme!a}"
    if port == 0:
        return "its port is 0"
    return _database_problem(parts)


def _service_problem(url: str) -> str | None:
    try:
        parse_service(url)
    except ValueError as error:
        return str(error)
    return None


def _socket_problem(parts: SplitResult) -> str | None:
    if parts.hostname:
        return "the path of a socket begins with a third slash (unix:///run/redis.sock)"
    return None if parts.path.strip("/") else "it has no path"


def _database_problem(parts: SplitResult) -> str | None:
    if parts.fragment:
        return "it has a # in it (in a password, write %23)"
    database = parts.path.strip("/")
    return None if not database or database.isdecimal() else "what follows the host is not a database number"
