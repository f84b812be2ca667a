"""Tries whether a queue server takes jobs: one that answers PING may still refuse every job."""

from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterCrossSlotError,
    ClusterError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

TRIAL_KEYS = ("dynamite:trial", "rq:dynamite:trial")
"""Written together, as rq writes a job; a cluster keeps them in different slots."""

TRIAL_SECONDS = 10

_ACCESS = "REDIS_URL needs another user or password (redis://USER:PASSWORD@HOST:PORT)"
_CLUSTER = "it is a node of a cluster; set REDIS_URL to a server without cluster mode"
_CROSS_SLOT = "same slot"
"""In the message of a cluster's refusal, whose code redis-py drops within a transaction."""

_REMEDIES: dict[type[RedisError], str] = {
    AuthenticationError: _ACCESS,
    AuthorizationError: _ACCESS,
    ClusterError: _CLUSTER,
    ClusterCrossSlotError: _CLUSTER,
    MovedError: _CLUSTER,
    NoPermissionError: "its user must be allowed all commands and keys",
    OutOfMemoryError: "its memory is full; raise its `maxmemory`, or remove what else it keeps",
    ReadOnlyError: "it is a read-only replica; set REDIS_URL to the primary server",
    ResponseError: "see its log, or set REDIS_URL to another server",
}
"""What to do, the more special errors first."""


def refusal(redis: Redis) -> str | None:
    """Try what a job takes, a transaction above all; return why the server refuses it, or None.

    Raises:
        RedisError: The server does not answer.
    """
    try:
        with redis.pipeline(transaction=True) as trial:
            for key in TRIAL_KEYS:
                trial.set(key, "", ex=TRIAL_SECONDS)
            trial.execute()
        redis.eval("return 1", 0)  # rq moves jobs by scripts
        redis.publish(TRIAL_KEYS[0], "")  # and cancels them by messages
    except RedisError as error:
        if (remedy := _remedy(error)) is None:
            raise
        return f"the queue server takes no jobs ({_said(error)}): {remedy}"
    return None


def _remedy(error: RedisError) -> str | None:
    """Return what to do about a refusal; None if the server does not answer."""
    if _CROSS_SLOT in str(error):
        return _CLUSTER
    return next((words for kind, words in _REMEDIES.items() if isinstance(error, kind)), None)


def _said(error: RedisError) -> str:
    """Return the server's own words, without the command that redis-py puts before them."""
    return str(error).rpartition("of pipeline caused error: ")[2].rstrip(".")
