"""A heartbeat whose answer comes late buys less time than one whose answer comes at once."""

import chaos_tasks
from oracle import runs_in
from proxy import Harm, Rule
from world import LEASE, World


def test_nothing_begins_again_in_the_moment_that_a_late_answer_leaves(tmp_path, seed):
    with World("late heartbeat", seed, tmp_path) as world:
        world.start_daemons("a")
        future = world.executor.submit(chaos_tasks.work, str(world.journal), "t0", 2 * LEASE)
        world.wait_until_running()
        world.proxy.rules.append(Rule("heartbeat", Harm.HOLD, seconds=LEASE - 0.05))
        assert future.result(30) == "t0 done"
        killed, whole = runs_in(world.journal)
        assert killed.ended is None
        assert whole.ended is not None
