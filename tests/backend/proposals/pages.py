"""What tests of proposals in pages share: a proposer that needs no model, and a page."""

import numpy as np

from backend.label_studio.config_writer import write
from backend.label_studio.region_reader import read_region
from backend.session.bitmask import BitMask
from backend.session.like import Proposed
from tests.backend.served import a_click, a_task

LIKE = "More like this"
CONFIG = write(["A", "B"], like=LIKE)
SIZE = (400, 600)
PLACES = [(300, 60), (450, 60), (520, 330)]


def disc(x, y, radius=25):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return BitMask.of(np.hypot(rows - y, columns - x) <= radius)


class FakeProposer:
    """Proposes discs at ``PLACES`` that lie on nothing known, and keeps what it was asked."""

    def __init__(self, likenesses):
        self.asked = []
        self.projects = []
        self.fail = None
        FakeProposer.last = self

    def __call__(self, project, asked, features, segment, *, accepts):
        self.projects.append(project)
        self.asked.append(asked)
        if self.fail is not None:
            raise self.fail
        known = [*asked.others, *(one for masks in asked.examples.values() for one in masks)]
        label = asked.label or "A"
        return [
            Proposed(label, disc(x, y), 0.8 - number / 10, (x / SIZE[1], y / SIZE[0]))
            for number, (x, y) in enumerate(PLACES)
            if accepts(label) and not any(one.contains(x / 600, y / 400) for one in known)
        ]


class Page:
    """A page of Label Studio: what it shows, and what its draft holds."""

    def __init__(self, backend):
        self.backend = backend
        self.points, self.accepted, self.suggested = [], [], []
        self.saves = 0
        self.drafts = []

    def click(self, label, x, y, **more):
        self.points.append(a_click(label, x, y, **more))
        shown = [one for one in self.points if one["value"]["labels"] == [label]]
        self.suggested = self.backend.result(*shown, task=a_task(drafts=self.drafts), config=CONFIG)
        return self.suggested

    def accept_all(self):
        new = {one["id"] for one in self.suggested}
        self.accepted = [one for one in self.accepted if one["id"] not in new] + self.suggested
        self.points, self.suggested = [], []

    def reject_all(self):
        self.points, self.suggested = [], []

    def save(self):
        self.saves += 1
        time = f"2026-11-22T07:00:{self.saves:02d}.000000Z"
        self.drafts = [
            {
                "id": 1,
                "user": "a@b",
                "created_username": "a@b, 1",
                "updated_at": time,
                "result": [*self.accepted, *self.points],
            }
        ]


def labels(result):
    return [one["value"]["brushlabels"] for one in result]


def mask_of(region):
    return read_region(region).pixels()
