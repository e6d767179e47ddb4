"""Values and arrays behave as multiprocessing's do."""

import ctypes

import pytest


@pytest.mark.parametrize(
    ("code", "first", "then"),
    [("i", 3, -4), ("d", 1.5, 2.25), ("c", b"x", b"y"), ("u", "ä", "ö"), ("B", 255, 0), ("q", 2**62, -(2**62))],
)
def test_a_value_is_what_was_written_last(tools, code, first, then):
    value = tools.Value(code, first)
    assert value.value == first
    value.value = then
    assert value.value == then
    assert type(value.value) is type(then)


def test_a_value_without_a_first_one_is_nought(tools):
    assert [tools.Value(code).value for code in ("i", "d", "c")] == [0, 0.0, b"\0"]


def test_a_value_is_converted_as_its_c_type_does(tools):
    value = tools.Value("b", 300)
    assert value.value == 44
    value.value = 200
    assert value.value == -56
    with pytest.raises(TypeError):
        value.value = "text"
    single = tools.Value("f", 0.1)
    assert single.value == ctypes.c_float(0.1).value


def test_a_ctypes_type_is_as_good_as_its_code(tools):
    assert tools.Value(ctypes.c_int, 7).value == 7
    assert tools.Value(ctypes.c_bool, 7).value is True
    assert tools.Array(ctypes.c_double, 2)[:] == [0.0, 0.0]


def test_no_other_type_is_taken(tools):
    for wrong in ("x", "int"):
        with pytest.raises((TypeError, AttributeError)):
            tools.Value(wrong, 1)


def test_additions_under_the_values_lock_are_not_lost(tools, background):
    value = tools.Value("i", 0)

    def add():
        for _ in range(25):
            with value.get_lock():
                value.value += 1

    for each in [background(add) for _ in range(4)]:
        each.result()
    assert value.value == 100


def test_a_value_is_a_lock_itself_and_its_lock_may_be_taken_again(tools, background):
    value = tools.Value("i", 0)
    with value, value.get_lock():
        value.acquire()
        value.release()
        assert background(value.get_lock().acquire, False).result() is False


def test_a_value_takes_a_lock_of_ones_own_or_none(tools):
    lock = tools.Lock()
    assert tools.Value("i", lock=lock).get_lock() is lock
    with pytest.raises(AttributeError):
        tools.Value("i", lock=False).get_lock()


def test_an_array_is_read_and_written_by_index_and_slice(tools):
    array = tools.Array("i", [1, 2, 3, 4, 5])
    assert (len(array), array[0], array[-1], array[1:3], array[:], array[::-2]) == (
        5,
        1,
        5,
        [2, 3],
        [1, 2, 3, 4, 5],
        [5, 3, 1],
    )
    array[0] = 10
    array[-1] = 50
    array[1:3] = [20, 30]
    array[::4] = [11, 51]
    assert list(array) == [11, 20, 30, 4, 51]
    assert array[5:] == []


def test_an_array_of_a_size_begins_with_noughts(tools):
    assert list(tools.Array("d", 3)) == [0.0, 0.0, 0.0]
    assert len(tools.Array("d", 0)) == 0


def test_an_array_refuses_what_does_not_fit(tools):
    array = tools.Array("i", 3)
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            array[wrong]
        with pytest.raises(IndexError):
            array[wrong] = 1
    with pytest.raises(TypeError):
        array[0] = "text"
    with pytest.raises(ValueError):
        array[0:2] = [1, 2, 3]
    assert list(array) == [0, 0, 0]


def test_an_array_of_characters_has_a_value_and_raw_bytes(tools):
    array = tools.Array("c", b"hello")
    assert (array.value, array.raw, array[0], array[1:3]) == (b"hello", b"hello", b"h", b"el")
    array.value = b"hi"
    assert (array.value, array.raw) == (b"hi", b"hi\0lo")
    with pytest.raises(ValueError):
        array.value = b"too long for it"


def test_additions_under_the_arrays_lock_are_not_lost(tools, background):
    array = tools.Array("q", 2)

    def add():
        for _ in range(10):
            with array.get_lock():
                array[1] += 2

    for each in [background(add) for _ in range(3)]:
        each.result()
    assert array[:] == [0, 60]
