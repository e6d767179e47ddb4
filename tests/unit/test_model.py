"""The scripts and the model of the protocol name each other, so that neither goes its own way."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = ROOT / "common/farpool_common/lua"
MODEL = ROOT / "docs/model"


def named(script: Path) -> list[str]:
    """What a script says of the model: the name of its step, or that it only reads."""
    return re.findall(r"^-- MODEL (.+)$", script.read_text(), re.M)


def steps() -> list[str]:
    """Steps that the model marks."""
    return re.findall(r"/\* STEP (\w+) \*/", (MODEL / "protocol.pml").read_text())


def test_every_script_names_its_step_in_the_model_or_only_reads():
    for script in SCRIPTS.glob("*.lua"):
        (step,) = named(script)
        if step == "reads only":
            assert "no-writes" in script.read_text().splitlines()[0], script.name
        else:
            assert step in steps(), f"{script.name} names {step}"


def test_every_step_of_the_model_is_a_script_that_names_it():
    assert sorted(steps()) == sorted(set(steps()))
    for step in steps():
        assert named(SCRIPTS / f"{step}.lua") == [step]


def test_every_switch_that_puts_a_mistake_in_is_checked_and_explained():
    switches = set(re.findall(r"^#ifn?def ([A-Z_]+)", (MODEL / "protocol.pml").read_text(), re.M))
    switches -= {"FAULTS", "BEATS", "ONE_TASK", "ROLLBACK", "DURABLE"}  # these set its size, or are no mistakes
    checks, readme = (MODEL / "check.py").read_text(), (MODEL / "README.md").read_text()
    assert switches
    for switch in switches:
        assert f'"{switch}"' in checks, switch
        assert f"| {switch} |" in readme, switch


def test_the_table_that_is_shown_has_every_check_and_no_surprise():
    shown = (MODEL / "README.md").read_text().partition("\n## Result\n")[2]
    variants = re.findall(r'^    Variant\("([^"]+)"', (MODEL / "check.py").read_text(), re.M)
    assert variants
    assert [name for name in variants if f"| {name} |" not in shown] == []
    assert "not expected" not in shown
