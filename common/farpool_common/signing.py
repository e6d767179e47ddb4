"""Signed bytes: who holds the key that producers and workers share can write them, and nobody else.

A signature covers a header and a body.  The header is read after the signature was found good, never before.
"""

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from farpool_common.errors import CodeNotTrustedError, SettingsError

KEY, KEY_FILE = "FARPOOL_KEY", "FARPOOL_KEY_FILE"
"""The key, or a file whose first line is the key."""

POOL_KEY = "FARPOOL_POOL_KEY"
"""The key of the pool that `farpool run` has started around a script, for that script."""

SHORTEST_KEY = 32
"""Characters of a key; `farpool key --new` writes 43, which are 256 random bits."""

LIFETIME_SECONDS = 7 * 24 * 3600
"""How long after it was signed a function may wait for a worker (guess: longer than queues are long)."""

CLOCKS_DIFFER_SECONDS = 300
"""How far a producer's clock may be ahead of a worker's (guess)."""

_DOMAIN = b"farpool signed v1\0"
_MAC_BYTES = hashlib.sha256().digest_size
_TIME_BYTES = 8


@dataclass(frozen=True)
class SigningKey:
    """A shared secret.  Its repr and str never show it.  Raises SettingsError when it is too short."""

    secret: str = field(repr=False)
    source: str = KEY

    def __post_init__(self) -> None:
        if len(self.secret) < SHORTEST_KEY:
            raise SettingsError(
                f"the key from {self.source} is too short: at least {SHORTEST_KEY} characters. "
                f"`farpool key --new` prints a good one."
            )

    def signed(self, purpose: str, body: bytes) -> bytes:
        """The body with a signature that holds for this purpose and some days."""
        until = int(time.time() + LIFETIME_SECONDS).to_bytes(_TIME_BYTES, "big")
        return self._mac(purpose, until, body) + until + body

    def opened(self, purpose: str, signed: bytes) -> bytes:
        """The body.  Raises CodeNotTrustedError unless this key signed it for this purpose, days ago at most."""
        mac, until, body = _split(signed)
        if len(until) < _TIME_BYTES or not hmac.compare_digest(mac, self._mac(purpose, until, body)):
            raise CodeNotTrustedError(
                "the signature of a function that travels by value is not right: start producers and workers with "
                f"the same {KEY}. If they have it, somebody else writes to your Redis."
            )
        left = int.from_bytes(until, "big") - time.time()
        if not 0 < left <= LIFETIME_SECONDS + CLOCKS_DIFFER_SECONDS:
            raise CodeNotTrustedError(
                f"the signature of a function that travels by value held for {LIFETIME_SECONDS // 86400} days and "
                "is out of date, or the clocks of the hosts differ: set them, and submit the call again."
            )
        return body

    def _mac(self, purpose: str, until: bytes, body: bytes) -> bytes:
        name = purpose.encode()
        message = _DOMAIN + len(name).to_bytes(4, "big") + name + until + body
        return hmac.digest(self.secret.encode(), message, "sha256")


def _split(signed: bytes) -> tuple[bytes, bytes, bytes]:
    end = _MAC_BYTES + _TIME_BYTES
    return signed[:_MAC_BYTES], signed[_MAC_BYTES:end], signed[end:]


def key_from(environ: Mapping[str, str]) -> SigningKey | None:
    """The key in force, None where there is none; an empty variable counts as not set.  Raises SettingsError."""
    secret = environ.get(KEY, "").strip()
    if secret:
        return SigningKey(secret)
    path = environ.get(KEY_FILE, "").strip()
    return SigningKey(_first_line(path), f"{KEY_FILE}={path}") if path else None


def pool_key_from(environ: Mapping[str, str]) -> SigningKey | None:
    """The key of the pool around this script.  Raises SettingsError."""
    secret = environ.get(POOL_KEY, "")
    return SigningKey(secret, POOL_KEY) if secret else None


def new_key(source: str = KEY) -> SigningKey:
    """A key that nobody else has: 256 random bits."""
    return SigningKey(secrets.token_urlsafe(32), source)


def key_here() -> SigningKey | None:
    """The key of this process's environment.  Raises SettingsError."""
    return key_from(os.environ)


def forget_key() -> None:
    """Keep the key from programs that this process starts."""
    for variable in (KEY, KEY_FILE, POOL_KEY):
        os.environ.pop(variable, None)


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip().removeprefix(f"{KEY}=")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(
            f"{KEY_FILE}={path} cannot be read: {reason}. Let the user of this process read it."
        ) from None
