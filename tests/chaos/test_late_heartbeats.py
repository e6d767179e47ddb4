"""A heartbeat whose answer comes late buys less time than one whose answer comes at once."""

import chaos_tasks
from oracle import runs_in
from proxy import Harm, Rule
from world import World

LEASE = 3.0
"""Twice as long as elsewhere here: on a busy machine other heartbeats may be late as well."""


def test_nothing_begins_again_in_the_moment_that_a_late_answer_leaves(tmp_path, seed):
    with World("late heartbeat", seed, tmp_path) as world:
        world.start_daemons("a", FARPOOL_LEASE_SECONDS=str(LEASE))
        future = world.executor.submit(chaos_tasks.work, str(world.journal), "t0", LEASE + 1)
        world.wait_until_running()
        world.proxy.rules.append(Rule("heartbeat", Harm.HOLD, seconds=LEASE - 0.05))
        assert future.result(30) == "t0 done"
        killed, whole = runs_in(world.journal)
        assert killed.ended is None
        assert whole.ended is not None
