"""What a child says to its daemon over the memory that they share: both ends, in one process."""

import random

import pytest

from farpool_common.progress import TaskProgress
from farpool_worker.pipe.channel import GarbageError
from farpool_worker.pipe.slate import RUNG, SLATE_BYTES, TEXT_BYTES, VERSION, Pen, Slate, new_slate
from farpool_worker.pipe.work import Kind, Work
from farpool_worker.pool.assignment import Assignment
from farpool_worker.pool.events import Noted, Wrote
from farpool_worker.pool.task_listener import LOOK_SECONDS, TaskListener


class Pair:
    """A child's slate and its daemon's listener.  `call` is the call that runs."""

    def __init__(self, most_bytes=TEXT_BYTES):
        self.assignment = Assignment(1, [0, 0, 0, 0, 0])
        self.memory = new_slate()
        self.listener = TaskListener(self.memory, self.assignment)
        self.call, self.now, self.rings = 0, 100.0, 0
        self.messages = []
        self.slate = Slate(self.memory, Pen(self.ring, self.add, lambda: self.call), most_bytes)

    def ring(self):
        self.rings += 1
        self.listener.told(["told"], self.now)
        return True

    def add(self, fields):
        self.messages.append(fields)
        return True

    def begin(self, work_id, calls=10):
        """The child takes up a new work; its number."""
        ((number, *_),) = self.assignment.add([Work(work_id, b"", Kind.CHUNK, ((0, calls),), 1)])
        self.slate.begin(number)
        return number

    def look(self):
        """What a look brings that is due after a while."""
        self.now += LOOK_SECONDS
        return self.listener.look_if_due(self.now)

    def delivered(self):
        """What the child's messages say."""
        messages, self.messages = self.messages, []
        return [event for fields in messages for event in self.listener.told(list(fields), self.now)]


def texts(events):
    return b"".join(event.text for event in events if isinstance(event, Wrote))


@pytest.fixture
def pair():
    return Pair()


def test_the_newest_progress_is_told_without_a_ring_for_each(pair):
    pair.begin("a")
    for done in range(1000):
        pair.slate.progress(done, 999, "x")
    assert pair.rings == 1
    assert pair.look() == [Noted("a", 0, TaskProgress(999, 999, "x"))]
    assert pair.look() == []
    assert pair.listener.next_look(pair.now) is None
    pair.slate.progress(1, None, "again")
    assert pair.rings == 2
    assert pair.look() == [Noted("a", 0, TaskProgress(1, None, "again"))]


def test_looks_are_not_closer_than_they_may_be_however_often_it_rings(pair):
    pair.begin("a")
    pair.slate.progress(1, 9, "")
    assert pair.listener.next_look(pair.now) == 0.0
    assert len(pair.listener.look_if_due(pair.now)) == 1
    pair.slate.progress(2, 9, "")
    pair.listener.told(["told"], pair.now)
    assert pair.listener.look_if_due(pair.now + LOOK_SECONDS / 2) == []
    assert len(pair.look()) == 1


def test_the_last_word_of_each_call_is_told_though_no_look_was_due(pair):
    pair.begin("a")
    for pair.call in range(3):
        pair.slate.progress(1, 2, "")
        pair.slate.progress(2, 2, "")
    pair.slate.tell_rest()
    assert pair.delivered() == [Noted("a", call, TaskProgress(2, 2, "")) for call in range(3)]
    pair.slate.tell_all()
    assert pair.delivered() == []


def test_what_a_look_has_brought_is_not_told_again(pair):
    pair.begin("a")
    pair.slate.progress(1, 2, "")
    pair.slate.write(b"early ")
    assert len(pair.look()) == 2
    pair.slate.write(b"late")
    pair.slate.tell_all()
    assert pair.delivered() == [Wrote("a", b"late")]
    assert pair.look() == []


def test_texts_of_works_are_kept_apart(pair):
    pair.begin("a")
    pair.slate.write(b"one")
    pair.slate.tell_all()
    pair.begin("b")
    pair.slate.write(b"two")
    assert pair.look() == [Wrote("b", b"two")]  # the words of a are still in the pipe
    pair.slate.tell_all()
    assert pair.delivered() == [Wrote("a", b"one")]


def test_a_work_that_says_nothing_costs_no_message(pair):
    pair.begin("a")
    pair.slate.tell_rest()
    pair.slate.tell_all()
    assert (pair.messages, pair.rings) == ([], 0)


def test_of_much_text_the_end_is_kept(pair):
    pair.begin("a")
    pair.slate.write(b"x" * (3 * TEXT_BYTES) + b"end")
    assert pair.look() == [Wrote("a", b"x" * (TEXT_BYTES - 3) + b"end", 2 * TEXT_BYTES + 3)]
    pair.slate.write(b"y" * TEXT_BYTES)
    pair.slate.tell_all()
    assert texts(pair.delivered()) == b"y" * TEXT_BYTES


def test_however_it_is_cut_and_looked_at_no_text_is_lost_or_doubled(pair, seed):
    rng = random.Random(seed)
    said, heard = {}, {}
    for work in map(str, range(60)):
        pair.begin(work)
        said[work] = b""
        for _ in range(rng.randrange(6)):
            text = rng.randbytes(rng.choice([1, 10, 3000]))
            pair.slate.write(text)
            said[work] += text
            if rng.random() < 0.4:
                for event in pair.look():
                    heard[event.work_id] = heard.get(event.work_id, b"") + event.text
        pair.slate.tell_all()
        for event in pair.delivered():
            heard[event.work_id] = heard.get(event.work_id, b"") + event.text
    assert heard == {work: text for work, text in said.items() if text}


def test_a_limit_on_what_is_kept_holds():
    pair = Pair(most_bytes=10)
    pair.begin("a")
    pair.slate.write(b"0123456789abcdef")
    pair.slate.tell_all()
    assert texts(pair.delivered()) == b"6789abcdef"
    none = Pair(most_bytes=0)
    none.begin("a")
    none.slate.write(b"text")
    none.slate.tell_all()
    assert (none.messages, none.rings) == ([], 0)


def test_between_works_nobody_is_told(pair):
    pair.slate.progress(1, 2, "")
    pair.slate.write(b"text")
    assert (pair.rings, pair.look()) == (0, [])


def test_a_writer_that_was_interrupted_is_heard_at_its_next_word(pair):
    pair.begin("a")
    pair.slate.progress(1, 2, "")
    pair.slate._words[VERSION] += 1  # a limit's exception came between two stores
    assert pair.look() == []
    assert pair.listener.next_look(pair.now) is not None
    pair.slate.progress(2, 2, "")
    assert pair.look() == [Noted("a", 0, TaskProgress(2, 2, ""))]


def test_a_pen_that_is_in_use_is_not_waited_for(pair):
    pair.begin("a")
    pair.slate._pen = Pen(lambda: False, lambda _: False, lambda: 0)
    pair.slate.write(b"text")
    assert pair.slate._words[RUNG] == 0  # so the next word rings
    pair.slate._pen = Pen(pair.ring, pair.add, lambda: 0)
    pair.slate.write(b" more")
    assert texts(pair.look()) == b"text more"


def test_whatever_is_scribbled_on_it_the_daemon_goes_on(pair, seed):
    rng = random.Random(seed)
    pair.begin("a")
    for _ in range(2000):
        at = rng.randrange(0, 1024, 8)
        pair.memory.view[at : at + 8] = rng.choice([rng.randbytes(8), bytes(8), b"\xff" * 8, (1).to_bytes(8, "little")])
        pair.listener.told(["told"], pair.now)
        for event in pair.look():
            assert event.work_id == "a"
            assert not isinstance(event, Wrote) or len(event.text) <= TEXT_BYTES
    assert pair.memory.nbytes == SLATE_BYTES


@pytest.mark.parametrize("fields", [["told", 1], ["noted", 1], ["wrote", 1, 2, "text", 0], ["wrote", 1, 2, b""]])
def test_messages_that_make_no_sense_are_garbage(pair, fields):
    with pytest.raises(GarbageError):
        pair.listener.told(fields, 0.0)


@pytest.mark.parametrize(
    "fields",
    [
        ["noted", 9, 0, 1, 2, ""],
        ["noted", 1, -1, 1, 2, ""],
        ["noted", 1, 0, float("nan"), 2, ""],
        ["noted", 1, 0, b"", 2, ""],
        ["wrote", 9, 0, b"text", 0],
    ],
)
def test_words_of_others_and_words_without_sense_are_left_out(pair, fields):
    pair.begin("a")
    assert pair.listener.told(fields, 0.0) == []
