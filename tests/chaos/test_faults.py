"""One round of each fault that matters most; `make chaos` does many, of all."""

import pytest
from faults import TOP
from world import PROMISE, World


@pytest.mark.parametrize("name", TOP)
def test_nothing_is_lost_and_nothing_ends_twice(name, tmp_path, seed):
    fault = TOP[name]
    with World(name, seed, tmp_path, has_replica=fault.has_replica) as world:
        fault.harm(world)
        verdict = world.settle()
        assert fault.is_survived(verdict), f"{verdict}\n{world.logs()}"
        if name == "daemon_killed":
            assert all(seconds < PROMISE + 3 for seconds in verdict.recovery), verdict
