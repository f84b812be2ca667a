"""When a job of CVAT counts as accepted.

Changing a job's stage makes its state "new", so the two are asked for separately.
"""

from collections.abc import Mapping
from typing import Any

COMPLETED, ACCEPTANCE, REJECTED = "completed", "acceptance", "rejected"


def is_accepted(job: Mapping[str, Any], rule: str) -> bool:
    """Whether a job is accepted by a rule: ``completed``, its state, or ``acceptance``, its stage.

    A rejected job is not, whatever its stage.
    """
    if is_rejected(job):
        return False
    return bool(job.get("stage") == ACCEPTANCE if rule == ACCEPTANCE else job.get("state") == rule)


def is_rejected(job: Mapping[str, Any]) -> bool:
    """Whether a reviewer has rejected a job."""
    return job.get("state") == REJECTED
