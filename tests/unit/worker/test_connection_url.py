"""A client's address as a URL: another client made from it speaks to the same server in the same way."""

import pytest
import redis
from redis.sentinel import Sentinel

from farpool_common.broker import client_of
from farpool_common.errors import SettingsError
from farpool_worker.connection_url import url_of

SAME = ("host", "port", "db", "path", "username", "password", "ssl_cert_reqs", "ssl_ca_certs")


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "redis://db.example:7000/3",
        "redis://:secret@localhost:6379/0",
        "redis://user:p%40ss%3Aw%2Ford%25@localhost:6379/1",
        "redis://[::1]:6379/0",
        "rediss://user:x@db.example:6380/0?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem",
        "rediss://db.example:6380/0?ssl_cert_reqs=none",
        "unix:///run/redis/s.sock?db=2",
        "unix://user:a%20b@/run/re%20dis/s.sock?db=0",
    ],
)
def test_a_client_made_from_it_has_the_same_settings(url):
    first = redis.Redis.from_url(url)
    second = redis.Redis.from_url(url_of(first))
    kinds = [client.connection_pool.connection_class for client in (first, second)]
    assert kinds[0] is kinds[1]
    known = [client.connection_pool.connection_kwargs for client in (first, second)]
    assert [known[0].get(name) or None for name in SAME] == [known[1].get(name) or None for name in SAME]


def test_a_client_made_of_words_has_a_url_too():
    assert url_of(redis.Redis(host="h", port=1, db=2, password="p")) == "redis://:p@h:1/2"
    assert url_of(redis.Redis()) == "redis://localhost:6379/0"


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_client_that_asks_sentinels_has_a_url_with_the_service_and_both_passwords(is_tls):
    sentinels = Sentinel([("a", 26379), ("::1", 5)], sentinel_kwargs={"password": "s&p", "socket_timeout": 1})
    first = sentinels.master_for("main", db=2, username="u", password="p@", ssl=is_tls)
    second = client_of(url_of(first))
    kinds = [client.connection_pool.connection_class for client in (first, second)]
    assert kinds[0] is kinds[1]
    pools = [client.connection_pool for client in (first, second)]
    assert [pool.service_name for pool in pools] == ["main", "main"]
    assert [pool.connection_kwargs[name] for pool in pools for name in ("db", "username", "password")] == [
        *(2, "u", "p@"),
        *(2, "u", "p@"),
    ]
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in pools[1].sentinel_manager.sentinels]
    assert [(each["host"], each["port"], each["password"]) for each in asked] == [
        ("a", 26379, "s&p"),
        ("::1", 5, "s&p"),
    ]


def test_what_no_url_can_say_is_refused_with_the_way_on():
    class Own(redis.connection.Connection):
        pass

    with pytest.raises(SettingsError, match="from_url"):
        url_of(redis.Redis(connection_pool=redis.ConnectionPool(connection_class=Own)))
    with pytest.raises(SettingsError, match="replicas"):
        url_of(Sentinel([("localhost", 26379)]).slave_for("main"))
    with pytest.raises(SettingsError, match="TLS"):
        url_of(Sentinel([("localhost", 26379)], sentinel_kwargs={"ssl": True}).master_for("main"))
    provider = redis.UsernamePasswordCredentialProvider("user", "word")
    with pytest.raises(SettingsError, match="credential provider"):
        url_of(redis.Redis(credential_provider=provider))
