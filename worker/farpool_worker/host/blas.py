"""Threads of numeric libraries inside a slot: one each, unless the user said otherwise.

These libraries start one thread per core of the machine; with a slot per core that is cores squared.
They read the variables when they are loaded, so the variables are set before a slot's process starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

OPENMP = "OMP_NUM_THREADS"

FOLLOWERS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Libraries that use OMP_NUM_THREADS when their own variable is not set."""

OTHERS = ("VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
"""Libraries that look at their own variable only.  The last one is joblib's: `n_jobs=-1` inside a task means the
task's own core."""


@dataclass(frozen=True)
class ThreadLimits:
    """What to add to a slot's environment, and what the user had set already."""

    to_set: Mapping[str, str]
    kept: Mapping[str, str]

    @property
    def are_single(self) -> bool:
        """Whether no library of a slot starts threads."""
        return all(value == "1" for value in self.kept.values())

    def __str__(self) -> str:
        """For the log line that names the slots."""
        if not self.kept:
            return "1 BLAS/OpenMP thread per slot"
        return "BLAS/OpenMP threads as set: " + ", ".join(f"{name}={value}" for name, value in self.kept.items())


def thread_limits(environ: Mapping[str, str]) -> ThreadLimits:
    """One thread per slot in every library; a variable that the user has set wins.

    OMP_NUM_THREADS of the user also holds for the libraries that follow it.
    """
    kept = {name: environ[name] for name in (OPENMP, *FOLLOWERS, *OTHERS) if environ.get(name)}
    ours = OTHERS if OPENMP in kept else (OPENMP, *FOLLOWERS, *OTHERS)
    return ThreadLimits({name: "1" for name in ours if name not in kept}, kept)
