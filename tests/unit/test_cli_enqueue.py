"""Words of a shell as the arguments of a call."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from farpool.cli import main
from farpool.cli.enqueue import call_arguments


@pytest.mark.parametrize(
    ("words", "args", "kwargs"),
    [
        ((), (), {}),
        (("3", "2.5", "true", "null", '"3"'), (3, 2.5, True, None, "3"), {}),
        (("[1, 2]", '{"a": [1]}'), ([1, 2], {"a": [1]}), {}),
        (("some text", "NaN", "-", "[1", "[" * 100_000), ("some text", "NaN", "-", "[1", "[" * 100_000), {}),
        (("a=1", "b=", "c=x=y"), (), {"a": 1, "b": "", "c": "x=y"}),
        (("1=2", '"a=b"', "http://host?a=b", "--flag"), ("1=2", "a=b", "http://host?a=b", "--flag"), {}),
    ],
)
def test_words_become_arguments(words: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert call_arguments(words) == (args, kwargs)


def test_a_keyword_given_twice_is_refused() -> None:
    with pytest.raises(click.UsageError, match="a is given twice"):
        call_arguments(("a=1", "a=2"))


@pytest.mark.parametrize("name", ["print", "a b.c", "module.", ".function", "a..b", "os.system()", "a\x1b.b"])
def test_what_is_no_name_of_a_function_is_a_usage_error(name: str) -> None:
    result = CliRunner().invoke(main, ["enqueue", name])
    assert result.exit_code == 2
    assert "module.function" in result.stderr


def test_a_wrong_prefix_is_a_configuration_error() -> None:
    result = CliRunner().invoke(main, ["enqueue", "os.getcwd"], env={"RQ_KEY_PREFIX": "a b"})
    assert result.exit_code == 78
    assert result.stderr.startswith("farpool: RQ_KEY_PREFIX='a b' cannot begin a key")
