"""The network fails between real hosts; `make chaos` does every fault for every length, many times."""

import pytest
from failovers import NETWORK_FAILOVER_SCENARIOS, GuardedNetworkWorld
from networks import NETWORK_SCENARIOS, NETWORK_WITHOUT_EXTRA_RUNS, NetworkWorld

CHOSEN = (
    "host_unheard_for_3_leases",
    "host_deaf_for_3_leases",
    "host_cut_off_for_1_s",
    "host_unplugged_for_a_lease",
    "host_unplugged_for_3_leases",
    "server_cut_off",
    "host_vanishes",
    "slow_links",
    "lossy_links",
)


@pytest.mark.parametrize("name", CHOSEN)
def test_nothing_is_lost_and_nothing_runs_in_two_places_at_once(name, tmp_path, seed):
    with NetworkWorld(name, seed, tmp_path) as world:
        NETWORK_SCENARIOS[name](world)
        verdict = world.settle()
        assert verdict.is_good, f"{verdict}\n{world.logs()}"
        if name in NETWORK_WITHOUT_EXTRA_RUNS:
            assert verdict.extra == 0, f"{verdict}\n{world.logs()}"


@pytest.mark.parametrize("name", NETWORK_FAILOVER_SCENARIOS)
def test_nothing_is_lost_when_the_host_of_the_primary_is_cut_off(name, tmp_path, seed):
    with GuardedNetworkWorld(name, seed, tmp_path) as world:
        NETWORK_FAILOVER_SCENARIOS[name](world)
        verdict = world.settle()
        assert verdict.is_good, f"{verdict}\n{world.logs()}"
