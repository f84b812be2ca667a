"""Which projects have connected: their annotations are looked for even where no webhook comes."""

import logging

from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

KEY = "dynamite:projects"


def note(redis: "Redis", project: int) -> None:
    """Remember a project; it says so again and again, so a queue server that is away is borne."""
    try:
        redis.sadd(KEY, project)
    except (RedisError, OSError) as error:
        log.warning("project %d is not remembered: %s", project, error)


def forget(redis: "Redis", project: int) -> None:
    """A project is no more."""
    redis.srem(KEY, project)


def connected(redis: "Redis") -> set[int]:
    """The projects remembered."""
    return {int(number) for number in redis.smembers(KEY)}
