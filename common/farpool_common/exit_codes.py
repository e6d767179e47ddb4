"""What the exit code of a command tells a shell script or a supervisor."""

from farpool_common.errors import (
    FarpoolError,
    QueueFullError,
    ServerBusyError,
    ServerRefusedError,
    ServerUnreachableError,
    ServerUnsuitableError,
    SettingsError,
)

# The numbers are those of sysexits.h: unavailable, tempfail, noperm, config.
_CODES: dict[type[FarpoolError], int] = {
    ServerUnreachableError: 69,
    ServerBusyError: 69,
    QueueFullError: 75,
    ServerRefusedError: 77,
    ServerUnsuitableError: 78,
    SettingsError: 78,
}


def exit_code(error: FarpoolError) -> int:
    """The exit code for an error that ends a command: 1 when no better one is defined."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), 1)
