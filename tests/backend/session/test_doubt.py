"""Random histories while drafts are late: what must hold in doubt, and after a draft told."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.backend.session.page_model import HEIGHT, WIDTH, Backend, Page, Server, mask_of

labels = st.sampled_from(["A", "B", "C"])
xs = st.integers(2, WIDTH - 3)
ys = st.integers(2, HEIGHT - 3)
users = st.integers(0, 1)


def together(masks):
    return np.any([np.zeros((HEIGHT, WIDTH), bool), *masks], axis=0)


class LateDrafts(RuleBasedStateMachine):
    """Two annotators on one task whose drafts are saved when Label Studio saves them."""

    @initialize(auto=st.booleans())
    def open_pages(self, auto):
        server, self.backend = Server(), Backend()
        self.callers = set()
        self.mixed = False
        self.pages = [
            Page(server, self.backend, user="1"),
            Page(server, self.backend, user="2", auto_accept=auto),
        ]

    @rule(user=users, label=labels, x=xs, y=ys)
    def click(self, user, label, x, y):
        page = self.pages[user]
        before = together(page.accepted().values())
        self.calls(page)
        answer = page.click(label, x + 0.5, y + 0.5)
        self.check_form(answer)
        assert self.mixed or not (before & ~together(page.accepted().values())).any()

    @precondition(lambda self: any(page.suggestions for page in self.pages))
    @rule(user=users)
    def accept_all(self, user):
        page = self.pages[user]
        before, shown = together(page.accepted().values()), together(page.shown().values())
        page.accept_all()
        assert self.mixed or not ((before | shown) & ~together(page.accepted().values())).any()

    @rule(user=users)
    def reject_all(self, user):
        self.pages[user].reject_all()

    @rule(seconds=st.sampled_from([0.3, 3, 6]))
    def wait(self, seconds):
        self.pass_time(seconds)

    @rule()
    def restart(self):
        self.backend.restart()

    @rule(user=users, label=labels, x=xs, y=ys)
    def told(self, user, label, x, y):
        """Once everything is saved, the answer is what the person sees on the page."""
        self.pass_time(11)
        page = self.pages[user]
        known = page.user in page.server.drafts
        accepted = page.accepted()
        keypoints = page.keypoints()
        self.calls(page)
        answer = page.click(label, x + 0.5, y + 0.5)
        self.check_form(answer)
        if not known:
            return  # the first call of a person may be anybody's
        keypoints = keypoints + ([] if page.auto_accept else page.keypoints()[-1:])
        masks = {region["id"]: mask_of(region) for region in answer}
        reopened = masks.keys() & accepted.keys()
        for region in reopened:
            mine = page.label(page.regions[region])
            spots = [at(k) for k in keypoints if page.label(k) == mine] + [(y, x)]
            assert any(accepted[region][spot] for spot in spots)
        kept = together(mask for region, mask in accepted.items() if region not in reopened)
        assert not (kept & together(masks.values())).any()
        for keypoint in keypoints:
            if not kept[at(keypoint)]:
                assert together(masks.values())[at(keypoint)]
        there = {page.label(k) for k in keypoints} | {label}
        assert {region["value"]["brushlabels"][0] for region in answer} <= there

    def calls(self, page):
        """Two people without drafts cannot be told apart: each gets masks of the other."""
        self.callers.add(page.user)
        self.mixed |= len(self.callers - page.server.drafts.keys()) + len(self.callers) > 2

    def pass_time(self, seconds):
        self.pages[0].server.clock += seconds
        for page in self.pages:
            page.flush()

    def check_form(self, answer):
        ids = [region["id"] for region in answer]
        assert len(ids) == len(set(ids))
        masks = [mask_of(region).astype(int) for region in answer]
        assert sum(masks, np.zeros((HEIGHT, WIDTH), int)).max(initial=0) <= 1


def at(keypoint):
    return (
        int(keypoint["value"]["y"] * HEIGHT / 100),
        int(keypoint["value"]["x"] * WIDTH / 100),
    )


TestLateDrafts = pytest.mark.slow(LateDrafts.TestCase)
TestLateDrafts.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, derandomize=True
)
