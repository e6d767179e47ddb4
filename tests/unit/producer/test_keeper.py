"""Who keeps stored objects alive, and lets go of them."""

import gc
import threading
import time
from dataclasses import dataclass, field

import pytest
from fake_broker import DEADLINE

from farpool.client.objects import Keeper
from farpool_common.errors import EncodeError, ServerUnreachableError, TooLargeError
from farpool_common.payload import Part, StoredObject


class FakeObjects:
    """Stored objects in memory."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.stored, self.renewals, self.tries = {}, 0, 0
        self.outages = 0

    def _note(self):
        with self.changed:
            self.tries += 1
            self.changed.notify_all()
            if self.outages:
                self.outages -= 1
                raise ServerUnreachableError("away")

    def described(self, encoded):
        return StoredObject(encoded.envelope.hex(), (Part("k", encoded.nbytes, 0),))

    def store(self, stored, encoded, owner, seconds):
        self._note()
        self.stored[stored.id] = encoded

    def renew(self, stored, seconds):
        self.renewals += 1
        self._note()
        return True

    def release(self, stored, owner):
        self.stored.pop(stored.id)
        self._note()

    def fetch(self, object_id):
        return [memoryview(self.stored[object_id].envelope)]

    def close(self):
        pass

    def wait_until(self, is_true):
        with self.changed:
            assert self.changed.wait_for(is_true, DEADLINE)


@dataclass
class FakeServer:
    found: FakeObjects = field(default_factory=FakeObjects)
    place: str = "fake"
    argument_bytes: int = 1000
    object_seconds: float = 1000
    key: None = None

    def objects(self):
        return self.found


@pytest.fixture
def objects():
    return FakeObjects()


def test_what_was_put_twice_goes_with_the_last_reference(objects):
    keeper = Keeper(FakeServer(objects))
    first, second = keeper.put([1, 2]), keeper.put([1, 2])
    other = keeper.put("other")
    assert (first.id, first.get(), len(objects.stored)) == (second.id, [1, 2], 2)
    del first
    gc.collect()
    del other
    objects.wait_until(lambda: len(objects.stored) == 1)
    assert second.get() == [1, 2]
    del second
    objects.wait_until(lambda: objects.stored == {})


def test_the_first_outage_is_raised_unless_it_is_to_be_waited_out(objects):
    keeper = Keeper(FakeServer(objects))
    objects.outages = 3
    with pytest.raises(ServerUnreachableError):
        keeper.put(1)
    assert keeper.put(1, waits=True).get() == 1
    assert objects.tries >= 4


def test_objects_are_renewed_while_they_are_held_and_after_an_outage_soon(objects):
    keeper = Keeper(FakeServer(objects, object_seconds=0.04))
    ref = keeper.put(1)
    objects.outages = 2
    objects.wait_until(lambda: objects.renewals >= 5)
    del ref
    objects.wait_until(lambda: objects.stored == {})


def test_what_cannot_be_removed_is_left_to_expire_and_the_thread_ends(objects):
    keeper = Keeper(FakeServer(objects))
    ref = keeper.put(1)
    objects.outages = 1
    del ref
    objects.wait_until(lambda: objects.stored == {})
    deadline = time.monotonic() + DEADLINE
    while any(thread.name == "farpool-objects" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_cannot_travel_or_is_too_large_is_refused(objects):
    keeper = Keeper(FakeServer(objects))
    with pytest.raises(TooLargeError, match="FARPOOL_MAX_ARGUMENTS"):
        keeper.put(bytes(2000))
    with pytest.raises(EncodeError):
        keeper.put(object())
    assert objects.tries == 0


def test_at_the_end_of_a_program_everything_is_removed(objects):
    keeper = Keeper(FakeServer(objects))
    refs = [keeper.put(number) for number in range(3)]
    keeper.close()
    assert objects.stored == {}
    del refs
