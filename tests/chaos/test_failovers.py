"""Sentinels choose another primary; nobody is told but the connections that ask them."""

import pytest
from faults.failovers import FAILOVER_SCENARIOS, GuardedWorld


@pytest.mark.parametrize("name", FAILOVER_SCENARIOS)
def test_nothing_is_lost_and_every_future_ends_when_sentinels_choose_another_primary(name, tmp_path, seed):
    with GuardedWorld(name, seed, tmp_path) as world:
        FAILOVER_SCENARIOS[name](world)
        verdict = world.settle()
        assert verdict.is_good, f"{verdict}\n{world.logs()}"
