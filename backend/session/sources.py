"""Which draft or annotation shows the page a call came from."""

from dataclasses import dataclass

from backend.session.evidence import Evidence, Painted, Prompt, Snapshot
from backend.session.page import Page


@dataclass(frozen=True)
class Source:
    """The snapshot of the caller's page.

    ``certain`` is False where nothing shows that it is this page's: it then cannot tell that
    anything is gone. ``binding`` is False where its masks are those of several annotators: they are
    then respected only where no click says otherwise.
    """

    snapshot: Snapshot
    certain: bool
    binding: bool = True

    def tells_about(self, version: str) -> bool:
        """Whether it was saved after ``version``."""
        return self.certain and self.snapshot.version > version


NOTHING = Source(Snapshot("none", ""), certain=False)


def choose(page: Page, evidence: Evidence) -> Source:
    """The caller's draft for this page, else the annotation it shows.

    Drafts are the caller's own. Among several the page's known one comes first, then the one that
    shares most regions with the call, then the newest. Without a draft, annotations that share
    regions with the call, or are by the page's user, are certain; others may be on the page, so all
    their masks count, in doubt.
    """
    known = evidence.ids | page.marks.keys() | page.instances.keys()

    def likeness(snapshot: Snapshot) -> tuple[bool, int, str]:
        shared = len(known & snapshot.order.keys())
        return snapshot.key == page.source, shared, snapshot.version

    if evidence.drafts:
        return Source(max(evidence.drafts, key=likeness), certain=True)
    if not evidence.annotations:
        return NOTHING
    best = max(evidence.annotations, key=likeness)
    if known & best.order.keys() or (page.user and best.user == page.user):
        return Source(best, certain=True)
    painted: dict[str, Prompt | Painted] = {}
    for annotation in sorted(evidence.annotations, key=lambda snapshot: snapshot.version):
        painted |= annotation.painted
    together = Snapshot("annotations", "", tuple(painted.values()))
    return Source(together, certain=False, binding=len(evidence.annotations) == 1)
