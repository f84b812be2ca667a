"""Pre-labelling: masks for the rectangles, keypoints and predictions that lie in a task."""

from dataclasses import replace

from backend.label_studio.prompts import Call, Task, page_key
from backend.session.evidence import Evidence, Painted, Prompt, Snapshot
from backend.session.masks import MaskReader
from backend.session.page import Page
from backend.session.plan import Plan
from backend.session.reconcile import reconcile


def plan(call: Call, task: Task) -> Plan:
    """What to segment for ``task`` in a batch call; without images if there is nothing to go by.

    The newest annotation with rectangles or keypoints counts, else the newest prediction with some:
    each rectangle is an object, the keypoints of a label are one together. Labels that cannot have
    a mask are left out.
    """
    for snapshots in (task.annotations, task.predictions):
        for snapshot in sorted(snapshots, key=lambda s: s.version, reverse=True):
            usable = _usable(call, snapshot)
            if usable.entries:
                return _planned(call, task, usable)
    return Plan()


def _usable(call: Call, snapshot: Snapshot) -> Snapshot:
    """The snapshot without what cannot have a mask; empty if nothing in it asks for one."""
    named = {
        entry.id
        for entry in snapshot.entries
        if isinstance(entry, Prompt) and call.config.brush(entry.image.name, entry.label)
    }
    if not named:
        return replace(snapshot, entries=())
    return replace(
        snapshot,
        entries=tuple(
            entry
            for entry in snapshot.entries
            if entry.id in named
            or isinstance(entry, Painted)
            or entry.label in call.config.background
        ),
    )


def _planned(call: Call, task: Task, snapshot: Snapshot) -> Plan:
    """As if a person had just drawn the last prompt on a page that shows the snapshot."""
    newest = next(entry for entry in snapshot.entries[::-1] if isinstance(entry, Prompt))
    alike = Evidence(task.id, (newest,))
    context = tuple(entry for entry in snapshot.entries if alike.covers(entry))
    key = page_key(call.project, task)  # regions that clicks began are known by it
    evidence = Evidence(key, context, (snapshot,), background=call.config.background)
    _, planned = reconcile(Page(key), evidence, MaskReader())
    return planned
