"""What waits for CVAT, told to the serving process, which cannot see the store."""

import json

from redis import Redis
from redis.exceptions import RedisError

from backend.cvat.collect.bookkeeping import Bookkeeping


def publish_waiting(bookkeeping: Bookkeeping, redis: Redis) -> None:
    """Put what waits on the status page."""
    waiting = bookkeeping.waiting()
    reason = waiting[-1][1] if waiting else ""
    redis.set(_key(bookkeeping.source), json.dumps([len(waiting), reason]))


def last_waiting(redis: Redis, source: str) -> tuple[int, str]:
    """Return how many hints wait and why; 0 if nothing is known."""
    try:
        count, reason = json.loads(redis.get(_key(source)) or '[0, ""]')
        return int(count), str(reason)
    except (RedisError, OSError, ValueError, TypeError, RecursionError):
        return 0, ""


def _key(source: str) -> str:
    return f"dynamite:waiting:{source}"
