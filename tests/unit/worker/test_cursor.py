"""What the daemon reads of a child's cursor makes sense at every moment, for the child may be stopped at any."""

from farpool_common.calls import IDLE, STARTED, WORK
from farpool_common.trust import Trust
from farpool_worker.child.child import Child, Manners
from farpool_worker.job_options import JobOptions
from farpool_worker.pipe.slate import new_slate
from farpool_worker.pipe.work import Kind


class Cursor(list):
    """Notes which words are written, in their order."""

    def __init__(self):
        super().__init__([0, 0, IDLE, 0, 0])
        self.written = []

    def __setitem__(self, word, value):
        self.written.append(word)
        super().__setitem__(word, value)


class Pipe:
    def write(self, frames):
        pass


def test_a_child_that_is_stopped_as_it_takes_work_up_does_not_seem_to_be_at_it_for_ages():
    cursor = Cursor()
    child = Child(Pipe(), cursor, Trust(()), Manners(0.0, 1_000_000, JobOptions()), new_slate())
    child._run_all([[7, b"\xc1", Kind.CHUNK.value, [[0, 1]], 1, None, None, 0]], [])
    first = cursor.written.index(WORK)
    assert STARTED in cursor.written[:first], "since when comes before what"
