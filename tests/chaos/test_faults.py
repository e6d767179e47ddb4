"""One round of each fault; `make chaos` does many, with the same code."""

import pytest
from scenarios import SCENARIOS, WITH_REPLICA, WITHOUT_EXTRA_RUNS
from world import PROMISE, World


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_and_nothing_ends_twice(name, tmp_path, seed):
    with World(name, seed, tmp_path, has_replica=name in WITH_REPLICA) as world:
        SCENARIOS[name](world)
        verdict = world.settle()
        assert verdict.is_good, f"{verdict}\n{world.logs()}"
        if name in WITHOUT_EXTRA_RUNS:
            assert verdict.extra == 0, f"{verdict}\n{world.logs()}"
        if name == "daemon_killed":
            assert all(seconds < PROMISE + 3 for seconds in verdict.recovery), verdict
