"""A manager's dicts, lists and namespaces behave as multiprocessing's do."""

import operator
import random

import pytest


def test_a_dict_does_what_a_dict_does(tools):
    found = tools.dict({"a": 1}, b=[2])
    found["c"] = (3, None)
    found[1.5] = {"x": {1}}
    assert (len(found), found["b"], found.get("c"), found.get("no"), found.get("no", 7)) == (4, [2], (3, None), None, 7)
    assert ("a" in found, "z" in found) == (True, False)
    assert found.keys() == ["a", "b", "c", 1.5]
    assert found.values() == [1, [2], (3, None), {"x": {1}}]
    assert found.items() == list(found.copy().items())
    assert list(found) == ["a", "b", "c", 1.5]
    assert found.setdefault("a", 9) == 1
    assert found.setdefault("d", 9) == 9
    assert (found.pop("a"), found.pop("a", "gone"), found.popitem()) == (1, "gone", ("d", 9))
    found.update({"b": 0}, e=5)
    found.update([("f", 6)])
    del found["c"]
    assert found.copy() == {"b": 0, 1.5: {"x": {1}}, "e": 5, "f": 6}
    assert str(found) == "{'b': 0, 1.5: {'x': {1}}, 'e': 5, 'f': 6}"
    found.clear()
    assert (len(found), found.copy()) == (0, {})


def test_a_dict_raises_key_error_where_a_dict_does(tools):
    found = tools.dict()
    for use in (lambda: found["x"], lambda: found.pop("x"), found.popitem, lambda: found.__delitem__("x")):
        with pytest.raises(KeyError):
            use()
    with pytest.raises(TypeError):
        found[[1]] = 1


def test_equal_keys_are_one_key(tools):
    found = tools.dict()
    found[1] = "one"
    found[True] = "true"
    found[1.0] = "float"
    found[(1, 2)] = "pair"
    found[(1.0, True + 1)] = "the same pair"
    assert found.copy() == {1: "float", (1, 2): "the same pair"}


def test_a_value_is_a_copy_and_a_change_within_it_must_be_assigned(tools):
    found = tools.dict(rows=[1])
    found["rows"].append(2)
    assert found["rows"] == [1]
    rows = found["rows"]
    rows.append(2)
    found["rows"] = rows
    assert found["rows"] == [1, 2]


def test_shared_objects_nest(tools):
    outer, inner = tools.dict(), tools.list([1])
    outer["inner"] = inner
    outer["inner"].append(2)
    assert list(inner) == [1, 2]
    inner.append(tools.dict(deep=1))
    assert outer["inner"][2]["deep"] == 1


def test_a_list_does_what_a_list_does(tools):
    found = tools.list([3, 1, 2])
    found.append(5)
    found.extend([4, (6,)])
    assert (len(found), found[0], found[-1], found[1:3], found[::-2]) == (6, 3, (6,), [1, 2], [(6,), 5, 1])
    found[0] = 30
    found[-1] = 6
    found[1:3] = [10, 20, 25]
    assert list(found) == [30, 10, 20, 25, 5, 4, 6]
    del found[0]
    del found[4:]
    found.insert(1, 15)
    assert (found.pop(), found.pop(0), found.pop(1)) == (5, 10, 20)
    found.remove(15)
    found += [1, 2, 1]
    assert (found.count(1), found.index(1), 25 in found, 99 in found) == (2, 1, True, False)
    found.sort()
    assert found[:] == [1, 1, 2, 25]
    found.sort(key=operator.neg)
    found.reverse()
    assert found + [9] == [1, 1, 2, 25, 9]  # noqa: RUF005  this is about the operator
    assert found * 2 == [1, 1, 2, 25] * 2
    found *= 2
    assert str(found) == str([1, 1, 2, 25] * 2)
    assert list(reversed(found)) == [25, 2, 1, 1] * 2


def test_a_list_raises_where_a_list_does(tools):
    found = tools.list()
    for use in (lambda: found[0], found.pop, lambda: found.pop(0), lambda: found.__setitem__(0, 1)):
        with pytest.raises(IndexError):
            use()
    for use in (lambda: found.remove(1), lambda: found.index(1)):
        with pytest.raises(ValueError):
            use()
    with pytest.raises(TypeError):
        found["x"]


def test_random_changes_leave_a_list_as_they_leave_a_plain_one(tools, seed):
    chance, plain, found = random.Random(seed), [], tools.list()
    for number in range(60):
        change = chance.choice(["append", "insert", "pop", "set", "delete", "reverse", "slice"])
        at = chance.randrange(len(plain)) if plain else 0
        for each in (plain, found):
            _change(each, change, at, number)
    assert list(found) == plain


def _change(items, change, at, number):
    match change:
        case "append":
            items.append(number)
        case "insert":
            items.insert(at, number)
        case "reverse":
            items.reverse()
        case "slice":
            items[at : at + 2] = [number, number, number]
        case _ if not len(items):
            items.append(number)
        case "pop":
            items.pop(at)
        case "set":
            items[at] = number
        case "delete":
            del items[at]


def test_changes_by_many_at_once_are_all_kept(tools, background):
    numbers, names = tools.list(), tools.dict()

    def change(first):
        for number in range(first, first + 10):
            numbers.insert(0, number)
            names[number] = number

    for each in [background(change, first) for first in range(0, 40, 10)]:
        each.result()
    assert sorted(numbers) == list(range(40)) == sorted(names.keys())


def test_a_namespace_holds_attributes(tools):
    found = tools.Namespace(x=1)
    found.y = [2, 3]
    found._own = "not shared"
    assert (found.x, found.y, found._own) == (1, [2, 3], "not shared")
    assert str(found) == "Namespace(x=1, y=[2, 3])"
    del found.x
    with pytest.raises(AttributeError, match="x"):
        _ = found.x
    with pytest.raises(AttributeError):
        del found.x
