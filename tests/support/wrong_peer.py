"""A system for benchmarks that loses a result."""

import os


class Peer:
    """It looks busy: its two workers tell their pids."""

    def call_each(self, name, values):
        pids = [os.getpid(), os.getppid()] * len(values)
        return (pids if name == "slow_pid" else [None] * len(values))[1 : len(values)]

    def close(self):
        pass
