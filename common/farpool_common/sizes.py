"""The largest arguments and results, as users set them in the environment."""

from collections.abc import Mapping

from farpool_common.errors import SettingsError

MAX_BYTES = 2 * 1024**3
"""Arguments or a result above this are refused, unless the environment says otherwise (guess)."""

ARGUMENT_BYTES_SETTING, RESULT_BYTES_SETTING = "FARPOOL_MAX_ARGUMENTS", "FARPOOL_MAX_RESULT"


def most_bytes(environ: Mapping[str, str], name: str) -> int:
    """The size that a variable sets, or the default.  Raises SettingsError."""
    raw = environ.get(name, "")
    if not raw:
        return MAX_BYTES
    if not raw.isdecimal() or int(raw) < 1:
        raise SettingsError(f"{name}={raw!r} is not a number of bytes")
    return int(raw)
