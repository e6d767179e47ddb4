"""The times of a host's lease, which settings name and the lease thread keeps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds: how long a daemon may be silent, how long others wait beyond that, how often they look."""

    lease: float = 15.0
    grace: float = 5.0
    sweep: float = 5.0
