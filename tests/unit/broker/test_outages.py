"""What each error of a server means to us."""

import pytest
import redis.exceptions as client_errors

from farpool_common.broker.outages import OUTAGES, as_farpool_error
from farpool_common.errors import (
    LoginRefusedError,
    ServerBusyError,
    ServerRefusedError,
    ServerUnreachableError,
    SpoiledKeyError,
)

TABLE = [
    (client_errors.ResponseError("MISCONF Redis is configured to save RDB snapshots"), ServerBusyError),
    (client_errors.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), ServerBusyError),
    (client_errors.ResponseError("OOM command not allowed"), ServerBusyError),
    (client_errors.ReadOnlyError("You can't write against a read only replica."), ServerBusyError),
    (client_errors.ResponseError("READONLY You can't write"), ServerBusyError),
    (client_errors.BusyLoadingError("Redis is loading the dataset in memory"), ServerBusyError),
    (client_errors.ResponseError("BUSY Redis is busy running a script"), ServerBusyError),
    (client_errors.TryAgainError("Multiple keys request during rehashing"), ServerBusyError),
    (client_errors.ClusterDownError("The cluster is down"), ServerBusyError),
    (client_errors.MasterDownError("Link with MASTER is down"), ServerBusyError),
    (client_errors.ResponseError("NOREPLICAS Not enough good replicas to write."), ServerBusyError),
    (client_errors.ResponseError("UNBLOCKED force unblock from blocking operation"), ServerBusyError),
    (client_errors.ResponseError("Command # 2 (GET a) of pipeline caused error: READONLY You can't"), ServerBusyError),
    (client_errors.ResponseError("Command # 1 (GET a) of pipeline caused error: WRONGTYPE Oper"), SpoiledKeyError),
    (client_errors.AuthenticationError("Authentication required."), LoginRefusedError),
    (client_errors.ResponseError("WRONGPASS invalid username-password pair"), LoginRefusedError),
    (client_errors.ResponseError("Protocol error: unauthenticated multibulk length"), LoginRefusedError),
    (client_errors.NoPermissionError("this user has no permissions"), ServerRefusedError),
    (client_errors.ResponseError("NOPERM this user has no permissions"), ServerRefusedError),
    (client_errors.ConnectionError("Connection closed by server."), ServerUnreachableError),
    (client_errors.TimeoutError("Timeout reading from socket"), ServerUnreachableError),
    (ConnectionRefusedError(111, "Connection refused"), ServerUnreachableError),
    (client_errors.ResponseError("WRONGTYPE Operation against a key"), SpoiledKeyError),
]


@pytest.mark.parametrize(("error", "kind"), TABLE, ids=lambda value: str(value)[:40])
def test_every_error_of_the_client_arrives_as_one_of_ours(error, kind):
    found = as_farpool_error(error, "redis://here")
    assert type(found) is kind
    assert "redis://here" in str(found)
    assert ".." not in str(found)


def test_outages_are_the_errors_after_which_the_same_call_may_work_later():
    assert set(OUTAGES) == {ServerUnreachableError, ServerBusyError}
