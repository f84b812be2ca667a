"""A picture of three moments, side by side: suggestions, accepted masks, and one reopened.

It is left in ``artifacts/e2e``; docs/images/README.md says what becomes of it.
"""

import cv2
import numpy as np
import pytest
from photo import LIVING_ROOM, by_label

pytestmark = pytest.mark.e2e

CANVAS = """
const {left, top, width, height} =
  document.querySelector('.konvajs-content').getBoundingClientRect();
return [left, top, width, height];
"""
TAIL = (4.0, 60.0)
"""Percent of the image of the cat: on its tail."""

GAP = 12


@pytest.fixture
def on_cat(demo, person):
    """A person who has just opened the photo of the cat."""
    project, (task,) = demo.project(("Cat", "Remote"), ("cat",))
    person.open_task(project, task)
    return person


@pytest.fixture
def panel(on_cat):
    """Return the image on the page as it looks now."""

    def take(name):
        page = cv2.imread(str(on_cat.screenshot(f"panel-{name}")))
        left, top, width, height = map(round, on_cat.browser.run(CANVAS))
        return page[top : top + height, left : left + width]

    return take


def test_accepting_and_reopening_side_by_side(on_cat, panel):
    on_cat.click("Cat", *LIVING_ROOM[0])
    on_cat.click("Remote", *LIVING_ROOM[1])
    suggested = panel("suggested")
    cat = by_label(on_cat.suggestions())["Cat"]
    on_cat.accept_all()
    on_cat.browser.press("Escape")
    accepted = panel("accepted")
    on_cat.click("Cat", *TAIL, inside=True, negative=True)
    reopened = panel("reopened")
    (again,) = on_cat.suggestions()
    assert again.id == cat.id  # it is the same region
    white = np.full((suggested.shape[0], GAP, 3), 255, np.uint8)
    picture = np.hstack([suggested, white, accepted, white, reopened])
    cv2.imwrite(str(on_cat.screenshot("reopening")), picture)
    on_cat.reject_all()
