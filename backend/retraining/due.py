"""How far a line of models is from a training that starts by itself."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from backend.settings import Settings
from training.annotation_store import AnnotationStore, ProjectKey, count_held_out


@dataclass(frozen=True)
class Due:
    """What was accepted since the last training of a line, and what its next one needs.

    Attributes:
        new: Number of new annotations,
        enough: and how many start a training; 0: none.
        held_out: Number of held-out images; None while ``new`` is not enough or one is trained,
        least: and how many are needed to publish a result.
    """

    new: int
    enough: int
    held_out: int | None
    least: int

    @property
    def is_due(self) -> bool:
        """Whether a training should start: on less its result could not be published."""
        return self.held_out is not None and self.held_out >= self.least

    @property
    def words(self) -> str:
        """How far it is, in a line."""
        if not self.enough:
            return f"{self.new} new annotations; none starts a training (DYNAMITE_TRAIN_AFTER=0)"
        if self.held_out is None or self.is_due:
            return f"{self.new} of {self.enough} new annotations until the next training"
        return (
            f"{self.new} new annotations are enough, but only {self.held_out} images are held out, "
            f"and {self.least} are needed to publish a result: accept annotations of more images"
        )


def look_up_due(
    settings: Settings,
    store: AnnotationStore,
    line: str,
    projects: list[ProjectKey],
    *,
    is_training: bool,
) -> Due:
    """Return how far a line is from its next training, by its store.

    Held-out images are not counted while one ``is_training``: that reads all annotations.
    """
    new, enough = store.new_since_training(line, projects), settings.train_after
    is_enough = bool(enough) and new >= enough and not is_training
    held_out = count_held_out(store, projects, settings.holdout_share) if is_enough else None
    return Due(new, enough, held_out, settings.judge_least)


def note_due(redis: Redis, line: str, due: Due) -> None:
    """Remember it for processes that cannot read the store."""
    redis.set(due_key(line), json.dumps(asdict(due)))


def last_due(redis: Redis, line: str) -> Due | None:
    """Return it as a worker last saw it; None if none has, or the server is away."""
    try:
        raw: Any = redis.get(due_key(line))
        return Due(**json.loads(raw)) if raw else None
    except (RedisError, OSError):
        return None


def due_key(line: str) -> str:
    """Return the key of what is known of a line's next training."""
    return f"dynamite:due-of:{line}"
