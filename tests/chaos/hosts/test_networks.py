"""The network fails between real hosts; `make chaos` does every fault for every length, many times."""

import pytest
from faults.failovers import GuardedNetworkWorld, replication_cut_first
from faults.networks import NETWORK_SCENARIOS, NETWORK_WITHOUT_EXTRA_RUNS, NetworkWorld

from farpool import TaskLostError

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


def test_what_replica_durability_has_acknowledged_survives_the_loss_of_the_primary_s_host(tmp_path, seed):
    with GuardedNetworkWorld("replication_cut_first", seed, tmp_path) as world:
        replication_cut_first(world)
        verdict = world.settle()
        assert verdict.is_good, f"{verdict}\n{world.logs()}"


def test_with_durability_memory_some_tasks_are_lost_then_and_their_futures_say_so(tmp_path, seed):
    with GuardedNetworkWorld("replication_cut_first", seed, tmp_path) as world:
        world.durability = "memory"
        replication_cut_first(world)
        errors = [future.exception(60) for future in world.futures.values()]
        assert {type(error) for error in errors} == {type(None), TaskLostError}, errors
        assert errors[-1] is None
