"""What a worker takes from a task by name: its own folders' code, what was allowed, and nothing else."""

import http
import sys
import textwrap

import pytest

from farpool_common.errors import DecodeError, FunctionNotAllowedError, FunctionNotFoundError
from farpool_common.trust import Trust, class_of, enable, is_allowed, resolve

TASKS = """
    import enum, functools, http, os
    from collections import OrderedDict
    from dataclasses import dataclass
    from functools import lru_cache, partial, wraps
    from os import system
    from trust_other import helper

    def work(): return "work"
    def _private(): return "private"

    class Steps:
        value = 3
        def run(self): return "run"
        @classmethod
        def make(cls): return cls()
        @staticmethod
        def plain(): return "plain"
        class Inner:
            @staticmethod
            def deep(): return "deep"

    class Callable:
        def __call__(self): return "called"

    class Text(str): pass

    def decorated_by(function):
        @wraps(function)
        def inner(): return "decorated " + function()
        return inner

    decorated = decorated_by(work)
    cached = lru_cache(work)
    partly = partial(work)
    partly_foreign = partial(os.system, "true")
    instance = Callable()
    number = 3

    @dataclass
    class Point:
        x: int

    class Colour(enum.Enum):
        RED = 1
"""


PART = """
    def f(): return "part"

    class C:
        @staticmethod
        def m(): return "m"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A worker's folder, with a package installed below it as in a virtual environment."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    root = tmp_path / "app"
    _write(root / "trust_tasks.py", TASKS)
    _write(root / "trust_other.py", "def helper(): return 'helper'")
    _write(root / "trust_package/__init__.py", "")
    _write(
        root / "trust_package/part.py", "def f(): return 'part'\nclass C:\n    @staticmethod\n    def m(): return 'm'"
    )
    _write(root / "trust_spread/part.py", "def f(): return 'spread'")  # a package without __init__
    _write(root / "trust_broken.py", "import no_such_thing_at_all")
    _write(root / "trust_leaving.py", "import sys; sys.exit(3)")
    _write(root / "json/data.txt", "no module, though its name is one")
    _write(root / "environment/lib/python3.12/site-packages/trust_installed.py", "def f(): return 'installed'")
    sys.path.append(str(root / "environment/lib/python3.12/site-packages"))
    yield root
    for name in set(sys.modules) - before:
        del sys.modules[name]
    resolve.cache_clear()
    class_of.cache_clear()


@pytest.fixture
def trust(folder):
    trust = Trust((folder,))
    enable(trust)
    return trust


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("trust_tasks:work", "work"),
        ("trust_tasks.work", "work"),
        ("trust_tasks:_private", "private"),
        ("trust_tasks:Steps.plain", "plain"),
        ("trust_tasks.Steps.plain", "plain"),
        ("trust_tasks:Steps.Inner.deep", "deep"),
        ("trust_tasks:decorated", "decorated work"),
        ("trust_tasks:cached", "work"),
        ("trust_tasks:partly", "work"),
        ("trust_tasks:instance", "called"),
        ("trust_tasks:helper", "helper"),  # from another module of the same folder
        ("trust_package.part:f", "part"),
        ("trust_package.part.f", "part"),
        ("trust_package.part.C.m", "m"),
        ("trust_spread.part:f", "spread"),
    ],
)
def test_code_of_the_workers_folder_runs(trust, name, result):
    assert resolve(name, trust)() == result


def test_a_class_is_a_function_too(trust):
    assert type(resolve("trust_tasks:Steps.make", trust)()).__name__ == "Steps"
    assert resolve("trust_tasks:Point", trust)(3).x == 3


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "os.system",
        "posix:system",
        "builtins:eval",
        "subprocess:Popen",
        "json:loads",  # a folder of that name lies in the root, the module does not
        "trust_tasks:system",
        "trust_tasks:os.system",
        "trust_tasks.os.system",
        "trust_tasks:functools.partial",
        "trust_tasks:OrderedDict",
        "trust_tasks:partly_foreign",
        "trust_tasks:Text.join",
        "trust_tasks:instance.__call__",
        "trust_tasks:work.__globals__",
        "trust_tasks:Steps.__subclasses__",
        "trust_tasks:__builtins__.eval",
        "trust_installed:f",
        "numpy:save",
    ],
)
def test_other_code_does_not(trust, name):
    with pytest.raises(FunctionNotAllowedError):
        resolve(name, trust)


def test_a_package_installed_below_the_folder_is_not_trusted_until_it_is_named(trust, folder):
    with pytest.raises(FunctionNotAllowedError, match="--allow trust_installed, or with -P PATH"):
        resolve("trust_installed:f", trust)
    assert resolve("trust_installed:f", Trust((folder,), ("trust_installed",)))() == "installed"


@pytest.mark.parametrize("separator", [":", "."])
def test_installed_packages_have_no_name_by_way_of_their_folders(trust, separator):
    with pytest.raises(FunctionNotFoundError, match="is no name of a function"):
        resolve(f"environment.lib.python3.12.site-packages.trust_installed{separator}f", trust)


def test_the_part_of_a_package_that_is_installed_is_not_trusted(folder):
    """A package without __init__ may lie in several places."""
    _write(folder / "environment/lib/python3.12/site-packages/trust_spread/other.py", "def f(): return 'other'")
    trust = Trust((folder,))
    enable(trust)
    assert resolve("trust_spread.part:f", trust)() == "spread"
    with pytest.raises(FunctionNotAllowedError):
        resolve("trust_spread.other:f", trust)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("trust_nowhere:f", "No module named 'trust_nowhere'"),
        ("trust_nowhere.f", "-P PATH"),
        ("trust_package.missing:f", "No module named 'trust_package.missing'"),
        ("trust_tasks:missing", "no attribute 'missing'"),
        ("trust_tasks.missing", "no attribute 'missing'"),
        ("trust_tasks:Steps.missing", "no attribute 'missing'"),
        ("trust_tasks:number", "is no function but a int"),
        ("trust_tasks:Steps.value", "is no function but a int"),
        ("trust_broken:f", "ModuleNotFoundError: No module named 'no_such_thing_at_all'"),
        ("trust_leaving:f", "SystemExit: 3"),
    ],
)
def test_what_cannot_be_found_says_why(trust, name, said):
    with pytest.raises(FunctionNotFoundError) as caught:
        resolve(name, trust)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["", "f", ":", "a:", ":f", "a..b", "a:b:c", "a b:c", "a/b:c", "../a:f", "a.b\n:c", "a" * 2000 + ":f"],
)
def test_what_is_no_name_is_refused_before_anything_is_imported(trust, name):
    with pytest.raises(FunctionNotFoundError, match="is no name of a function"):
        resolve(name, trust)


def test_a_message_obeys_no_terminal(trust):
    with pytest.raises(FunctionNotFoundError) as caught:
        resolve("\x1b[2Ja:f", trust)
    assert str(caught.value).isprintable()


def test_prefixes_name_modules_and_what_is_below(folder):
    trust = Trust((), ("math", "xml.sax", "operator"))
    assert resolve("math:sqrt", trust)(4) == 2
    assert resolve("operator:add", trust)(1, 2) == 3  # its code is in _operator
    assert resolve("xml.sax.saxutils:escape", trust)("<") == "&lt;"
    assert not is_allowed("mathematics", trust)
    assert not is_allowed("xml", trust)
    assert is_allowed("xml.sax", trust)


def test_everything_means_everything(folder):
    assert resolve("os.path.join", Trust(everything=True))("a", "b") == "a/b"


def test_without_anything_nothing_runs(folder):
    for name in ("os:system", "json:loads", "builtins:print"):
        with pytest.raises(FunctionNotAllowedError):
            resolve(name, Trust())


def test_nobody_is_advised_to_allow_eval(folder):
    with pytest.raises(FunctionNotAllowedError, match=r"^builtins:print .*function of your own") as refused:
        resolve("builtins:print", Trust())
    assert "--allow" not in str(refused.value), "that would allow eval and exec as well"


def test_a_module_that_hides_behind_an_installed_one_is_not_confused_with_it(folder):
    _write(folder / "trust_installed.py", "def f(): return 'mine'")
    trust = Trust((folder,))  # not enabled: the installed one comes first
    sys.path[:] = [str(folder / "environment/lib/python3.12/site-packages"), *sys.path]
    with pytest.raises(FunctionNotAllowedError, match="another of that name comes first"):
        resolve("trust_installed:f", trust)


def test_the_folders_come_first_and_once(folder, monkeypatch):
    monkeypatch.setattr(sys, "path", ["/usr/lib/a", str(folder), "/usr/lib/b"])
    enable(Trust((folder, folder / "environment")))
    assert sys.path == [str(folder), str(folder / "environment"), "/usr/lib/a", "/usr/lib/b"]


def test_a_link_in_the_folder_counts_as_its_own(folder, tmp_path):
    _write(tmp_path / "elsewhere/trust_linked.py", "def f(): return 'linked'")
    (folder / "trust_linked.py").symlink_to(tmp_path / "elsewhere/trust_linked.py")
    trust = Trust((folder,))
    enable(trust)
    assert resolve("trust_linked:f", trust)() == "linked"


def test_a_file_that_appears_later_is_found(trust, folder):
    with pytest.raises(FunctionNotFoundError):
        resolve("trust_late:f", trust)
    _write(folder / "trust_late.py", "def f(): return 'late'")
    assert resolve("trust_late:f", trust)() == "late"


# --- classes ---------------------------------------------------------------------------------------


def test_dataclasses_and_enums_of_allowed_modules_are_found(trust):
    assert class_of("trust_tasks:Point", trust).__name__ == "Point"
    assert class_of("trust_tasks:Colour", trust).RED.value == 1


def test_loaded_enums_of_the_standard_library_are_found(trust):
    assert class_of("http:HTTPStatus", trust) is http.HTTPStatus


@pytest.mark.parametrize(
    "name",
    [
        "trust_tasks:Steps",  # no dataclass
        "trust_tasks:number",
        "trust_tasks:missing",
        "trust_nowhere:Point",
        "subprocess:Popen",
        "builtins:int",
        "http:HTTPStatus.OK",
        "dataclasses:Field",
        "no_such:Class",
        "",
        "x",
    ],
)
def test_other_classes_are_refused(trust, name):
    with pytest.raises(DecodeError):
        class_of(name, trust)


def test_a_name_is_looked_up_once(trust):
    assert resolve("trust_tasks:work", trust) is resolve("trust_tasks:work", trust)
    assert resolve.cache_info().hits >= 1
