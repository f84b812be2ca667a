"""Pre-labelling: a plan from what lies in a task: rectangles, keypoints, a detector's predictions."""

from backend.label_studio.prompts import Call, Task
from backend.session.plan import Plan


def plan(call: Call, task: Task) -> Plan:
    """What to segment for ``task`` in a batch call; without images if there is nothing to go by."""
    raise NotImplementedError
