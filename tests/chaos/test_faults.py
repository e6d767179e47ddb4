"""One round of each fault that matters most; `make chaos` does many, of all."""

import pytest
from faults import TOP
from world import PROMISE


@pytest.mark.parametrize("name", TOP)
def test_nothing_is_lost_and_nothing_ends_twice(name, seed):
    fault = TOP[name]
    with fault.new_world(name, seed) as world:
        fault.harm(world)
        verdict = world.settle()
        assert fault.is_survived(verdict), f"{verdict}\n{world.logs()}"
        if name == "daemon_killed":
            assert all(seconds < PROMISE + 3 for seconds in verdict.recovery), verdict
