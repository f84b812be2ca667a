"""The projects that have connected: they are compared even if none of their webhooks arrives."""

import logging

from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def note(redis: Redis, source: str, project: int) -> None:
    """Remember a project of a Label Studio.

    Projects connect again and again, so a queue server that is away is only logged.
    """
    try:
        redis.sadd(_key(source), project)
    except (RedisError, OSError) as error:
        log.warning("project %d is not remembered: %s", project, error)


def forget(redis: Redis, source: str, project: int) -> None:
    """Forget a project that has been deleted."""
    redis.srem(_key(source), project)


def connected(redis: Redis, source: str) -> set[int]:
    """Return the projects of a Label Studio that have connected."""
    return {int(number) for number in redis.smembers(_key(source))}


def _key(source: str) -> str:
    return f"dynamite:projects:{source}"
