"""The real scripts on a real server against the transition table, in orders that nobody thought of."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from protocol.cluster import QUEUES, Cluster, Mismatch, PropertyError
from protocol.machine import ProtocolMachine
from protocol.mistakes import MISTAKES, made
from protocol.properties import PROPERTIES

from farpool.embedded import Server
from farpool_common.broker import ProducerBroker, WorkerBroker, worker

PATIENT = settings(deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
THOROUGH = settings(PATIENT, max_examples=150, stateful_step_count=40)
UNTIL_FOUND = settings(
    PATIENT,
    max_examples=1000,  # the slowest mistake takes about 100
    stateful_step_count=40,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    database=None,
)


@pytest.fixture
def begin(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Cluster]]:
    """Makes clusters on one server, each beginning with an empty one."""
    producer = ProducerBroker(server.url)
    workers = [WorkerBroker(server.url, "", QUEUES) for _ in range(3)]

    def begun(watched: str | None = None) -> Cluster:
        # The server tells sets in an order that depends on the names in them: an example must be repeatable.
        numbers = itertools.count()
        monkeypatch.setattr(worker, "new_id", lambda: f"e{next(numbers)}")
        return Cluster(producer, workers, watched=watched)

    yield begun
    for broker in (producer, *workers):
        broker.close()


@pytest.mark.timeout(400)  # only what fails takes so long: Hypothesis looks for a shorter way to it
def test_the_scripts_do_what_the_transition_table_says(begin):
    totals = Counter[str]()

    class Machine(ProtocolMachine):
        def begin(self) -> Cluster:
            return begin()

        def teardown(self) -> None:
            super().teardown()
            totals.update(self.cluster.seen.counters)

    run_state_machine_as_test(Machine, settings=THOROUGH)
    print(dict(totals))
    ways = {"claimed", "finished", "failed", "released", "abandoned", "stale", "dropped"}
    assert ways <= {name for name, count in totals.items() if count > 10}, "the machine went nowhere"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_script_is_found(begin, name):
    """By the property that is about it; what no property is about, by comparison with the table."""
    watched = MISTAKES[name].property

    class Machine(ProtocolMachine):
        def begin(self) -> Cluster:
            return begin(watched)

    found, words = (PropertyError, f"^{watched}: ") if watched else (Mismatch, "the table says")
    with made(MISTAKES[name]), pytest.raises(found, match=words):
        run_state_machine_as_test(Machine, settings=UNTIL_FOUND)


def test_every_property_finds_a_mistake():
    assert {mistake.property for mistake in MISTAKES.values()} == {*PROPERTIES, None}
