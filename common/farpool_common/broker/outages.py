"""Errors of the Redis client, as farpool's own: what is an outage, what is a refusal, what is a bug."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis.exceptions as client_errors

from farpool_common.broker.sentinels import UnknownServiceError
from farpool_common.errors import (
    FarpoolError,
    LoginRefusedError,
    ServerBusyError,
    ServerError,
    ServerRefusedError,
    ServerUnreachableError,
    ServiceUnknownError,
    SpoiledKeyError,
)

OUTAGES = (ServerUnreachableError, ServerBusyError)
"""Errors after which the same call may work later.  They never end a daemon."""

WAITED_OUT = (*OUTAGES, LoginRefusedError)
"""What somebody waits out who has been let in before."""

_BUSY_KINDS = (
    client_errors.BusyLoadingError,
    client_errors.OutOfMemoryError,
    client_errors.ReadOnlyError,
    client_errors.TryAgainError,
    client_errors.ClusterDownError,
    client_errors.MasterDownError,
)
_BUSY = (
    "OOM",
    "MISCONF",
    "READONLY",
    "LOADING",
    "BUSY",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "MASTERDOWN",
    "NOREPLICAS",
    "UNBLOCKED",
)
_LOGIN_KINDS = (client_errors.AuthenticationError, client_errors.AuthenticationWrongNumberOfArgsError)
_LOGIN = ("NOAUTH", "WRONGPASS", "ERR AUTH", "ERR INVALID PASSWORD", "INVALID USERNAME-PASSWORD")
_LONG_AND_NOT_LOGGED_IN = "UNAUTHENTICATED"
"""A server does not even read a long command of somebody who has not logged in: `Protocol error: unauthenticated bulk
length`."""

RIGHTS = "ACL SETUSER USER ~rq:* &rq:* +@all -@admin -@dangerous +info +client|unblock"
"""What farpool needs, without what servers call dangerous."""

_WITHIN_PIPELINE = " of pipeline caused error: "
"""redis-py puts the number and the text of the command before what the server said."""


def as_farpool_error(error: Exception, place: str) -> FarpoolError:
    """The error of ours that says what `error` means; `place` is the address without its password."""
    text = str(error).rstrip(".").rpartition(_WITHIN_PIPELINE)[2]
    upper = text.upper()
    # redis-py strips the code from the text of some errors and gives them a class instead.
    if isinstance(error, _LOGIN_KINDS) or upper.startswith(_LOGIN) or _LONG_AND_NOT_LOGGED_IN in upper:
        return LoginRefusedError(f"{place} refuses us: {text}. Check the user and password in the URL.")
    if isinstance(error, client_errors.NoPermissionError) or upper.startswith("NOPERM"):
        return ServerRefusedError(f"{place} refuses us: {text}. Give its user the right: {RIGHTS}.")
    if isinstance(error, client_errors.OutOfMemoryError) or upper.startswith("OOM"):
        text += ". Raise maxmemory there, or let workers take what waits"
    if isinstance(error, _BUSY_KINDS) or upper.startswith(_BUSY):
        return ServerBusyError(f"{place} takes no writes now: {text}")
    if isinstance(error, UnknownServiceError):
        return ServiceUnknownError(f"{place}: {text}. Check the name in the URL against SENTINEL MASTERS.")
    if isinstance(error, (client_errors.ConnectionError, client_errors.TimeoutError, OSError)):
        return ServerUnreachableError(f"no answer from {place}: {text}")
    if upper.startswith("WRONGTYPE"):
        return SpoiledKeyError(f"{place} has another type of key there: {text}")
    return ServerError(f"{place} answered with an error: {text}")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Within this context every error of the Redis client arrives as one of ours."""
    try:
        yield
    except FarpoolError:  # some of them are OSErrors, too
        raise
    except (client_errors.RedisError, OSError) as error:
        raise as_farpool_error(error, place) from error
