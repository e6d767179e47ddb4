"""What shared objects leave on a server."""

import redis


def shared_keys(client: redis.Redis) -> list[bytes]:
    """Keys of shared objects, but those with a name, which stay, and receipts, which expire."""
    return [key for key in client.keys("*:farpool:shared:*") if b"~" in key]


def receipts(client: redis.Redis) -> list[int]:
    """When each receipt expires, in milliseconds from now."""
    return [client.pttl(key) for key in client.keys("*:farpool:shared:receipt:*")]
