"""Seals: who holds the key that producers and workers share can make them, and nobody else.

    seal = HMAC-SHA256(key, purpose, until, parts) | until

`until` is read after the seal was found good, never before.
"""

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from farpool_common.errors import CodeNotTrustedError, SettingsError

Bytes = bytes | memoryview

KEY, KEY_FILE = "FARPOOL_KEY", "FARPOOL_KEY_FILE"
"""The key, or a file that holds it.  Several keys, with commas or line ends between them: the first one signs, all are
accepted."""

POOL_KEY = "FARPOOL_POOL_KEY"
"""The key of the pool that `farpool run` has started around a script, for that script."""

SHORTEST_KEY = 32
"""Characters of a key; `farpool key --new` writes 43, which are 256 random bits."""

MOST_KEYS = 8
"""Keys at once: each of them is tried on a seal (guess: while one is changed there are two)."""

LIFETIME_SECONDS = 7 * 24 * 3600
"""How long after it was signed a function may wait for a worker (guess: longer than queues are long)."""

CLOCKS_DIFFER_SECONDS = 300
"""How far a producer's clock may be ahead of a worker's (guess)."""

_DOMAIN = b"farpool seal v1"
_MAC_BYTES = hashlib.sha256().digest_size
_TIME_BYTES = 8

SEAL_BYTES = _MAC_BYTES + _TIME_BYTES
"""How long a seal is."""


@dataclass(frozen=True)
class SigningKey:
    """A shared secret, and older ones that are still accepted.  Its repr and str never show them.

    Raises SettingsError when one is too short.
    """

    secret: str = field(repr=False)
    source: str = KEY
    older: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if min(map(len, (self.secret, *self.older))) < SHORTEST_KEY:
            raise SettingsError(
                f"the key from {self.source} is too short: at least {SHORTEST_KEY} characters. "
                f"`farpool key --new` prints a good one."
            )

    def seal(self, purpose: str, *parts: Bytes) -> bytes:
        """What shows that these parts are ours, for this purpose and some days."""
        until = int(time.time() + LIFETIME_SECONDS).to_bytes(_TIME_BYTES, "big")
        return _mac(self.secret, [purpose.encode(), until, *parts]) + until

    def check(self, purpose: str, seal: bytes, *parts: Bytes) -> None:
        """Raise CodeNotTrustedError unless one of the keys sealed these parts for this purpose, days ago at most."""
        mac, until = seal[:_MAC_BYTES], seal[_MAC_BYTES:]
        covered = [purpose.encode(), until, *parts]
        if not any(hmac.compare_digest(mac, _mac(secret, covered)) for secret in (self.secret, *self.older)):
            raise CodeNotTrustedError(
                "the signature of a task whose function travels by value is not right: start producers and workers "
                f"with the same {KEY}. If they have it, the task was changed or copied on its way: somebody else "
                "writes to your Redis."
            )
        left = int.from_bytes(until, "big") - time.time()
        if not 0 < left <= LIFETIME_SECONDS + CLOCKS_DIFFER_SECONDS:
            raise CodeNotTrustedError(
                f"the signature of a function that travels by value held for {LIFETIME_SECONDS // 86400} days and "
                "is out of date, or the clocks of the hosts differ: set them, and submit the call again."
            )


def _mac(secret: str, parts: Iterable[Bytes]) -> bytes:
    """Each part with its length before it, so that nothing can be moved from one to the next."""
    digest = hmac.new(secret.encode(), _DOMAIN, "sha256")
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


# --- where keys are found -------------------------------------------------------------------------


_held: list[SigningKey] = []  # the one that this process was told, if any


def key_from(environ: Mapping[str, str]) -> SigningKey | None:
    """The key in force, None where there is none; an empty variable counts as not set.  Raises SettingsError."""
    keys = environ.get(KEY, "").split(",")
    if any(key.strip() for key in keys):
        return _key(keys, KEY)
    path = environ.get(KEY_FILE, "").strip()
    return _key(_lines(path), f"{KEY_FILE}={path}") if path else None


def pool_key_from(environ: Mapping[str, str]) -> SigningKey | None:
    """The key of the pool around this script.  Raises SettingsError."""
    secret = environ.get(POOL_KEY, "")
    return SigningKey(secret, POOL_KEY) if secret else None


def new_key(source: str = KEY) -> SigningKey:
    """A key that nobody else has: 256 random bits."""
    return SigningKey(secrets.token_urlsafe(32), source)


def key_here() -> SigningKey | None:
    """The key that this process was told, else that of its environment.  Raises SettingsError."""
    return _held[0] if _held else key_from(os.environ)


def hold(key: SigningKey | None) -> None:
    """Use this key, and keep it from programs that this process starts: it is in no environment."""
    for variable in (KEY, KEY_FILE, POOL_KEY):
        os.environ.pop(variable, None)
    _held[:] = [] if key is None else [key]


def _key(keys: Iterable[str], source: str) -> SigningKey:
    found = [key.strip() for key in keys if key.strip()]
    if len(found) > MOST_KEYS:
        raise SettingsError(f"{source} holds {len(found)} keys, and {MOST_KEYS} may be in use: remove old ones")
    return SigningKey(found[0] if found else "", source, tuple(found[1:]))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return [line.strip().removeprefix(f"{KEY}=") for line in file if not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(
            f"{KEY_FILE}={path} cannot be read: {reason}. Let the user of this process read it."
        ) from None
