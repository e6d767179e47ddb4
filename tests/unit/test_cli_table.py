"""Tables of the command line."""

from farpool.cli.table import table


def test_numbers_stand_to_the_right_and_text_to_the_left() -> None:
    assert table(("queue", "waiting"), [("default", 5), ("x", 12_000)]) == (
        "queue    waiting\n"
        "default        5\n"
        "x         12,000"
    )  # fmt: skip


def test_a_hostile_name_stays_in_its_cell() -> None:
    assert table(("host",), [("a\x1b[2J\nb",)]) == "host\na\\x1b[2J\\x0ab"


def test_a_table_without_rows_is_its_titles() -> None:
    assert table(("a", "b"), []) == "a  b"
