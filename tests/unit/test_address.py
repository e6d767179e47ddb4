"""Addresses: which setting wins, what is refused, and that no password is ever shown."""

import pytest

from farpool_common.address import Address, find_address, prefix_from, socket_url
from farpool_common.errors import SettingsError
from farpool_common.service import parse_service

ALL = {
    "FARPOOL_URL": "redis://farpool:1/0",
    "RQ_REDIS_URL": "redis://rq:1/0",
    "REDIS_URL": "redis://redis:1/0",
}


@pytest.mark.parametrize(
    ("url", "without", "expected", "source"),
    [
        ("redis://here:1/0", (), "redis://here:1/0", "--url"),
        (None, (), "redis://farpool:1/0", "FARPOOL_URL"),
        (None, ("FARPOOL_URL",), "redis://rq:1/0", "RQ_REDIS_URL"),
        (None, ("FARPOOL_URL", "RQ_REDIS_URL"), "redis://redis:1/0", "REDIS_URL"),
        (None, tuple(ALL), "redis://localhost:6379/0", "default"),
    ],
)
def test_the_strongest_setting_wins_and_is_named(
    url: str | None, without: tuple[str, ...], expected: str, source: str
) -> None:
    environ = {name: value for name, value in ALL.items() if name not in without}
    assert find_address(url, environ) == Address(expected, source)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert find_address(None, {"FARPOOL_URL": " ", "REDIS_URL": "redis://a\n"}) == Address("redis://a", "REDIS_URL")


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:s3cret@host/1", "redis://:***@host/1"),
        ("rediss://ann:s3cret@host:6390/1", "rediss://ann:***@host:6390/1"),
        ("redis://ann@host", "redis://ann@host"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("unix://ann:s3cret@/run/redis.sock?db=2", "unix://ann:***@/run/redis.sock?db=2"),
        ("unix:///run/redis.sock?password=s3cret", "unix:///run/redis.sock?password=***"),
        (
            "redis+sentinel://ann:s3cret@a:26379,b:26380/main/1?sentinel_username=bo&sentinel_password=s3cret",
            "redis+sentinel://ann:***@a:26379,b:26380/main/1?sentinel_username=bo&sentinel_password=***",
        ),
        ("rediss+sentinel://a/main", "rediss+sentinel://a/main"),
        ("rediss://host?ssl_keyfile_password=s3cret", "rediss://host?ssl_keyfile_password=***"),
    ],
)
def test_what_is_shown_has_no_password(url: str, masked: str) -> None:
    address = Address(url)
    assert address.masked == masked
    assert "s3cret" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://:pw@host:6390/1", "host:6390"),
        ("redis://host", "host:6379"),
        ("redis:///1", "localhost:6379"),
        ("unix:///run/my%20redis.sock", "/run/my redis.sock"),
        ("redis+sentinel://:pw@a,b:5/main", "main by a:26379, b:5"),
    ],
)
def test_the_place_is_host_and_port_or_the_socket(url: str, place: str) -> None:
    assert Address(url).place == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://s3cret@localhost",
        "redis://:s3cret/with/slashes@host:6379",
        "redis://:s3cret#1@host:6379",
        "redis://host:s3cret",
        "redis://host:0",
        "redis://host:99999",
        "redis://host/jobs",
        "redis://ho st",
        "redis://host\x1b[2J",
        "unix://run/redis.sock",
        "unix://",
        "unix:///",
        "redis://[::1",
        "redis+sentinel://s3cret",
        "redis+sentinel://:s3cret@/main",
        "redis+sentinel://:s3cret@a:x/main",
        "redis+sentinel://:s3cret@a:99999/main",
        "redis+sentinel://:s3cret@a,,b/main",
        "redis+sentinel://:s3cret@a/ma*in",
        "redis+sentinel://:s3cret@a/main/jobs",
        "redis+sentinel://:s3cret#1@a/main",
        "redis+sentinel://:s3cret/1@a/main",
        "redis+sentinel://:s3cret[@a/main",
    ],
)
def test_a_wrong_url_is_refused_with_the_right_shapes_and_without_secrets(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        find_address(None if url else url, {"REDIS_URL": url})
    message = str(caught.value)
    assert "redis://" in message
    assert "rediss://" in message
    assert "unix:///" in message
    assert ("REDIS_URL" if url else "--url") in message
    assert "s3cret" not in message
    assert message.isprintable()


def test_a_socket_url_reads_back_as_the_same_path() -> None:
    assert Address(socket_url("/tmp/a b?#%/s")).place == "/tmp/a b?#%/s"


@pytest.mark.parametrize("prefix", ["rq", "my-app:rq", "{pool.1}:rq_2"])
def test_a_prefix_by_rqs_rule_is_taken(prefix: str) -> None:
    assert prefix_from({"RQ_KEY_PREFIX": prefix}) == prefix


def test_without_the_variable_the_prefix_is_rqs() -> None:
    assert prefix_from({}) == "rq"


@pytest.mark.parametrize("prefix", ["", "a b", "rq*", "rq\n", "é", "a/b"])
def test_another_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="RQ_KEY_PREFIX"):
        prefix_from({"RQ_KEY_PREFIX": prefix})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:6379/0", "redis://:p%2F%40%3Aw@host:6379/0"),
        ("redis://me@host/1", "redis://me:p%2F%40%3Aw@host/1"),
        ("redis://me:own@host/1", "redis://me:own@host/1"),
        ("unix:///run/s", "unix://:p%2F%40%3Aw@/run/s"),
        ("redis+sentinel://a,b:1/main", "redis+sentinel://:p%2F%40%3Aw@a,b:1/main"),
    ],
)
def test_a_password_file_completes_a_url_that_has_no_password(tmp_path, url, expected):
    (tmp_path / "secret").write_text("p/@:w\nsecond line\n")
    found = find_address(url, {"FARPOOL_PASSWORD_FILE": str(tmp_path / "secret")})
    assert found.url == expected
    assert "p/@:w" not in found.masked
    assert "%2F" not in found.masked


@pytest.mark.parametrize("content", [None, b"", b"\nlater", b"\xff\xfe"])
def test_a_password_file_that_cannot_be_used_is_named(tmp_path, content):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="FARPOOL_PASSWORD_FILE"):
        find_address("redis://host", {"FARPOOL_PASSWORD_FILE": str(path)})


def test_a_service_is_told_by_its_sentinels_its_name_and_what_its_servers_want():
    service = parse_service("rediss+sentinel://u:p%40@a,[::1]:5/my.main-1/3?ssl_cert_reqs=none&sentinel_password=s%26")
    assert service.sentinels == (("a", 26379), ("::1", 5))
    assert (service.name, service.sentinel_login) == ("my.main-1", (None, "s&"))
    assert service.server_url == "rediss://u:p%40@localhost/3?ssl_cert_reqs=none"
    assert "p%40" not in repr(service)
