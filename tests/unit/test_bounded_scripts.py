"""No script reads, loops or unpacks without a bound, whatever a key holds."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "common/farpool_common/lua"
SCRIPTS = {str(path.relative_to(FOLDER)): path.read_text() for path in sorted(FOLDER.rglob("*.lua"))}

UNBOUNDED = ("KEYS", "SMEMBERS", "HKEYS", "HVALS", "SUNION", "SINTER", "SDIFF", "SORT", "HGETALL", "XREAD", "XREVRANGE")
"""Commands that return all that a key holds."""

REASONS = {
    ("claim.lua", "redis.call('HGETALL', job)"): "HLEN was looked at before: 200 fields at most",
}

RANGES = {
    "LRANGE": r"'LRANGE', [^)]*, (0, 9+|first, first \+ count - 1)\)",
    "ZRANGE": r"'ZRANGE', .*?, (0, 9+(, 'REV')?|first, math\.min\(first \+ most, total\) - 1)\)",
    "ZRANGEBYSCORE": r"'ZRANGEBYSCORE', .*'LIMIT', 0, \w+\)",
    "SRANDMEMBER": r"'SRANDMEMBER', .*, (budget|\d+|MOST_RANGES)\)",
}
"""Commands with a bound of their own, and how it is written."""


def lines(name: str) -> list[str]:
    """The script without its comments."""
    return [line for raw in SCRIPTS[name].splitlines() if (line := re.sub(r"(^|\s)--.*", "", raw)).strip()]


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_reads_all_of_a_key(name):
    found = [line for line in lines(name) if re.search(rf"'({'|'.join(UNBOUNDED)})'", line)]
    assert [line for line in found if not any(name == file and part in line for file, part in REASONS)] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_range_that_a_script_reads_has_a_bound(name):
    for line in lines(name):
        for command, pattern in RANGES.items():
            if f"'{command}'" in line:
                assert re.search(pattern, line), line


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_loop_of_a_script_ends_by_its_arguments(name):
    """`for` loops run over arguments, or over what was read within a bound; a `while` says what it stops at."""
    loops = [line.strip() for line in lines(name) if re.match(r"\s*(while|repeat)\b", line)]
    for line in loops:
        assert re.search(r"at <= #ARGV|looked_at < most \+ 100", line), line


def test_what_is_let_through_is_still_there():
    assert all(part in SCRIPTS[file] for file, part in REASONS)
