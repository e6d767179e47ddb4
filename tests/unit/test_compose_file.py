"""docker-compose.yml and deploy/Dockerfile say what the deployment promises.  `make compose-test` runs them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SECRET = "/run/secrets/redis_password"


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


@pytest.fixture(scope="module")
def services(file: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(file["services"])


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile as (instruction, rest) pairs, one list for each stage."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "deploy/Dockerfile").read_text()).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    stages: list[list[tuple[str, str]]] = []
    for word, rest in lines:
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((word, rest))
    return stages


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def dump(service: dict[str, Any], *parts: str) -> str:
    return json.dumps([service.get(part) for part in parts])


def test_both_generations_of_compose_can_read_the_file(file: dict[str, Any]) -> None:
    # docker-compose 1.29 wants a version and knows no top-level name.
    assert set(file) == {"version", "x-farpool", "services", "networks", "volumes", "secrets"}
    assert file["version"] == "3.8"


def test_there_is_a_server_a_worker_and_a_demo_that_starts_only_when_asked_for(
    services: dict[str, dict[str, Any]],
) -> None:
    assert {name: service.get("profiles") for name, service in services.items()} == {
        "redis": None,
        "worker": None,
        "demo": ["demo"],
    }


def test_redis_keeps_what_it_was_given(services: dict[str, dict[str, Any]]) -> None:
    redis = services["redis"]
    script = redis["entrypoint"][-1]
    assert "appendonly yes\n" in script
    assert "maxmemory-policy noeviction\n" in script
    assert "dir /data\n" in script
    assert redis["volumes"] == ["redis-data:/data"]


def test_redis_cannot_start_without_a_password(services: dict[str, dict[str, Any]]) -> None:
    script = services["redis"]["entrypoint"][-1]
    assert "exit 78" in script
    assert script.index("exit 78") < script.index("exec ") < script.index("requirepass")


def test_redis_is_pid_1_and_gets_its_configuration_from_standard_input(services: dict[str, dict[str, Any]]) -> None:
    script = services["redis"]["entrypoint"][-1]
    assert re.search(r"^exec setpriv .* redis-server - <<CONFIG$", script, re.M)


def test_redis_has_a_healthcheck_which_the_others_wait_for(services: dict[str, dict[str, Any]]) -> None:
    check = services["redis"]["healthcheck"]
    assert check["test"][0] == "CMD-SHELL"
    assert check["test"][1].endswith("redis-cli ping | grep -qx PONG")
    assert seconds(check["timeout"]) < 10
    for name in ("worker", "demo"):
        assert services[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}


def test_nothing_is_published_and_the_network_has_no_way_out(
    file: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    assert file["networks"] == {"inside": {"internal": True}}
    for service in services.values():
        assert "ports" not in service
        assert "network_mode" not in service
        assert service["networks"] == ["inside"]


def test_the_password_travels_as_a_file_only(file: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    assert list(file["secrets"]["redis_password"]) == ["file"]
    for name, service in services.items():
        assert service["secrets"] == ["redis_password"]
        assert "requirepass" not in dump(service, "command", "environment")
        assert "--pass" not in dump(service, "command", "entrypoint", "healthcheck")
        assert not any(re.search("pass", key, re.I) and value != SECRET for key, value in environment(service)), name
        assert not any("@" in value for _, value in environment(service))


def environment(service: dict[str, Any]) -> list[tuple[str, str]]:
    return list(service.get("environment", {}).items())


def test_the_password_is_not_in_the_build_context() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert allowed == {"pyproject.toml", "README.md", "LICENSE", "common", "producer", "worker", "examples"}


def test_the_worker_can_be_scaled(services: dict[str, dict[str, Any]]) -> None:
    assert not {"container_name", "hostname", "ports", "scale"} & set(services["worker"])


def test_the_worker_may_drain_before_it_is_killed(services: dict[str, dict[str, Any]]) -> None:
    worker = services["worker"]
    drain = int(worker["environment"]["FARPOOL_DRAIN_SECONDS"])
    assert seconds(worker["stop_grace_period"]) >= drain + 10


def test_what_should_run_is_started_again(services: dict[str, dict[str, Any]]) -> None:
    assert services["redis"]["restart"] == services["worker"]["restart"] == "unless-stopped"
    assert "restart" not in services["demo"]


def test_containers_can_change_nothing_but_their_scratch_folder(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
    for name in ("worker", "demo"):
        assert services[name]["tmpfs"] == ["/tmp"]
        assert services[name]["volumes"] == ["./examples:/app/examples:ro"]
        assert "cap_add" not in services[name]


def test_commands_have_no_shell_between_the_engine_and_the_daemon(services: dict[str, dict[str, Any]]) -> None:
    assert services["worker"]["command"] == ["worker", "-P", "/app/examples"]
    assert "entrypoint" not in services["worker"]
    assert isinstance(services["demo"]["entrypoint"], list)
    assert isinstance(services["demo"]["command"], list)


def test_the_image_is_built_in_two_stages_from_one_base(stages: list[list[tuple[str, str]]]) -> None:
    assert [stage[0] for stage in stages] == [("FROM", "${PYTHON_IMAGE} AS build"), ("FROM", "${PYTHON_IMAGE}")]
    last = dict(stages[-1])
    assert "RUN" not in last
    assert last["COPY"] == "--from=build /opt/farpool /opt/farpool"


def test_the_daemon_is_pid_1_of_a_user_without_rights(stages: list[list[tuple[str, str]]]) -> None:
    last = dict(stages[-1])
    assert json.loads(last["ENTRYPOINT"]) == ["farpool"]
    assert json.loads(last["CMD"]) == ["worker"]
    user, group = (int(number) for number in last["USER"].split(":"))
    assert user >= 1000
    assert group >= 1000


def test_the_image_holds_the_package_and_its_fast_extra_only(stages: list[list[tuple[str, str]]]) -> None:
    runs = " ".join(rest for word, rest in stages[0] if word == "RUN")
    assert re.findall(r"farpool\[(\w+)\]", runs) == ["fast"]
    assert "apt-get" not in runs
    assert runs.count("-m pip ") == runs.count("--no-cache-dir") == 2
