"""Pipes behave as multiprocessing's do."""

import pytest


def test_each_end_receives_what_the_other_sends(tools):
    left, right = tools.Pipe()
    left.send({"a": [1, None]})
    left.send("second")
    right.send(("back",))
    assert (right.recv(), right.recv(), left.recv()) == ({"a": [1, None]}, "second", ("back",))
    assert (left.readable, left.writable) == (True, True)


def test_a_pipe_of_one_way_has_an_end_that_receives_and_one_that_sends(tools):
    receiver, sender = tools.Pipe(duplex=False)
    sender.send(1)
    assert receiver.recv() == 1
    assert (receiver.writable, sender.readable) == (False, False)
    for use in (lambda: receiver.send(1), sender.recv, sender.poll):
        with pytest.raises(OSError, match="connection is"):
            use()


def test_a_recv_waits_for_a_send(tools, background):
    left, right = tools.Pipe()
    waiting = background(right.recv)
    assert waiting.is_waiting()
    left.send(1)
    assert waiting.result() == 1


def test_poll_tells_whether_something_came_and_takes_nothing(tools, background):
    left, right = tools.Pipe()
    assert (right.poll(), right.poll(0.05)) == (False, False)
    waiting = background(right.poll, None)
    assert waiting.is_waiting()
    left.send(1)
    assert waiting.result() is True
    assert (right.poll(), right.poll(5), right.recv(), right.poll()) == (True, True, 1, False)


def test_bytes_travel_as_bytes(tools):
    left, right = tools.Pipe()
    left.send_bytes(b"hello world")
    left.send_bytes(bytearray(b"hello world"), 6, 3)
    assert (right.recv_bytes(), right.recv_bytes(100)) == (b"hello world", b"wor")
    with pytest.raises(ValueError):
        left.send_bytes(b"x", 2)
    left.send_bytes(b"too long")
    with pytest.raises(OSError):
        right.recv_bytes(3)


def test_what_was_sent_before_the_end_was_closed_is_received_then_eof_error(tools, background):
    left, right = tools.Pipe()
    left.send("last")
    left.close()
    assert right.poll(5) is True
    assert right.recv() == "last"
    for _ in range(2):
        with pytest.raises(EOFError):
            right.recv()


def test_who_waits_at_the_end_that_the_other_closes_gets_eof_error(tools, background):
    left, right = tools.Pipe()
    waiting = background(right.recv)
    assert waiting.is_waiting()
    left.close()
    with pytest.raises(EOFError):
        waiting.result()


def test_nothing_can_be_sent_to_a_closed_end(tools):
    left, right = tools.Pipe()
    right.close()
    with pytest.raises(BrokenPipeError):
        left.send(1)


def test_a_closed_end_is_of_no_use(tools):
    left, _right = tools.Pipe()
    with left as found:
        assert found.closed is False
    assert left.closed is True
    left.close()
    for use in (lambda: left.send(1), left.recv, left.poll):
        with pytest.raises(OSError, match="closed"):
            use()
