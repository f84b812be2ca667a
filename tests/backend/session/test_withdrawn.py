"""Random histories while drafts are late: what was taken back does not come back by itself."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.backend.session.page_model import HEIGHT, WIDTH, Backend, Page, Server, mask_of

labels = st.sampled_from(["A", "B", "C"])
xs = st.integers(2, WIDTH - 3)
ys = st.integers(2, HEIGHT - 3)


@dataclass
class Withdrawn:
    """A region that was taken back, and which labels had clicks then: a call of one shows it."""

    label: str
    mask: np.ndarray
    witnesses: frozenset[str]
    is_shown: bool = False


class TakenBack(RuleBasedStateMachine):
    """One annotator who accepts, rejects, deletes and goes on before anything is saved."""

    @initialize()
    def open_page(self):
        self.backend = Backend()
        self.page = Page(Server(), self.backend)

        self.withdrawn = {}
        self.overlaps = False

    @rule(label=labels, x=xs, y=ys)
    def click(self, label, x, y):
        page = self.page
        accepted = page.accepted()
        self.note_saves()
        for gone in self.withdrawn.values():
            gone.is_shown |= label in gone.witnesses
        answer = page.click(label, x + 0.5, y + 0.5)
        masks = {region["id"]: mask_of(region) for region in answer}
        for region in masks.keys() & self.withdrawn.keys():
            gone = self.withdrawn[region]
            assert not gone.is_shown or (gone.label == label and gone.mask[y, x]), (
                "it was taken back, a call or draft has shown it, and nobody clicked on it"
            )
            del self.withdrawn[region]
        total = sum((mask.astype(int) for mask in masks.values()), np.zeros((HEIGHT, WIDTH), int))
        assert total.max(initial=0) <= 1
        for region, mask in accepted.items():
            is_other = page.label(page.regions[region]) != label
            if mask[y, x] and is_other:  # with Ctrl, on an accepted region of another label
                self.overlaps = True
            if region in masks and is_other:  # nothing has shown that it was accepted
                self.overlaps = True

    @precondition(lambda self: self.page.suggestions)
    @rule()
    def accept_all(self):
        page = self.page
        before, shown = page.accepted(), page.shown()
        page.accept_all()
        after = page.accepted()
        assert after.keys() == before.keys() | shown.keys()
        for region, mask in before.items():
            assert region in shown or (after[region] == mask).all()
        total = sum((mask.astype(int) for mask in after.values()), np.zeros((HEIGHT, WIDTH), int))
        assert self.overlaps or total.max(initial=0) <= 1

    @precondition(lambda self: self.page.smart)
    @rule()
    def reject_all(self):
        page = self.page
        smart = {page.label(r) for r in page.keypoints() if r["id"] in page.smart}
        witnesses = frozenset(smart & {page.label(raw) for raw in page.suggestions.values()})
        for region, raw in page.suggestions.items():
            if region not in page.regions:
                gone = Withdrawn(page.label(raw), mask_of(raw), witnesses)
                self.withdrawn[region] = gone
        page.reject_all()

    @precondition(lambda self: self.page.accepted())
    @rule(data=st.data())
    def delete_region(self, data):
        page = self.page
        region = data.draw(st.sampled_from(sorted(page.accepted())))
        if region in page.suggestions:
            return
        raw = page.regions[region]
        gone = Withdrawn(page.label(raw), mask_of(raw), frozenset())
        self.withdrawn[region] = gone
        page.delete(region)

    @rule(seconds=st.sampled_from([0.3, 3, 6]))
    def wait(self, seconds):
        self.page.server.clock += seconds
        self.page.flush()
        self.note_saves()

    def note_saves(self):
        """A draft without clicks of theirs shows that they are gone, at the next call."""
        draft = self.page.server.drafts.get(self.page.user)
        if draft is None or self.page.unsaved_since is not None:
            return
        for gone in self.withdrawn.values():
            gone.is_shown = True


TestTakenBack = pytest.mark.slow(TakenBack.TestCase)
TestTakenBack.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, derandomize=True
)
