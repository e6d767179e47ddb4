"""What RQ's own code does in a child on the side must not cost a slot."""

import chaos_tasks
from proxy import Harm, Rule
from world import World


def test_a_slot_is_not_held_while_rq_s_maintenance_cannot_reach_the_server(tmp_path, seed):
    with World("maintenance", seed, tmp_path) as world:
        # Connections of RQ's code begin with HELLO, ours do not.
        world.proxy.rules.append(Rule("HELLO", Harm.LOSE_REQUEST, times=1_000_000))
        world.start_daemons("a")
        call = (chaos_tasks.work, str(world.journal), "t0", 0.0)
        assert world.executor.submit(*call).result(30) == "t0 done"
        assert world.proxy.rules[0].done > 0
