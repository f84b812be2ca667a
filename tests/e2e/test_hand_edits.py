"""What is corrected by hand in the real product stays as it was drawn, and clicks go on."""

import pytest
from corners import corners, drag_corner, remove_corner
from photo import CAKE, CUP, FREE, by_label, inside, pixel
from same import same, thick

pytestmark = pytest.mark.e2e


def erase(person, cake):
    """Erase the middle; it says where, and whether the mask has that place now."""
    person.erase((CAKE[0] - 3, CAKE[1]), (CAKE[0] + 3, CAKE[1]), cake.id)
    return CAKE, False


def move_corner(person, cake):
    """Drag the topmost corner upwards."""
    x, y = min(corners(person, cake), key=lambda corner: corner[1])
    drag_corner(person, cake, (x, y), (x, y - 8))
    return (x, y - 2), True


def move_and_remove_corners(person, cake):
    """Remove the lowest corner too."""
    edited = move_corner(person, cake)
    remove_corner(person, cake, max(corners(person, cake), key=lambda corner: corner[1]))
    return edited


EDITS = {
    "brush": erase,
    "bitmask": erase,
    "polygon": move_and_remove_corners,
    "vector": move_corner,
}


def test_an_edited_mask_stays_as_it_was_drawn(demo, opened, output):
    opened.click("Cake", *CAKE)
    opened.accept_all()
    (cake,) = opened.regions()
    place, there = EDITS[output](opened, cake)
    opened.browser.press("Escape")
    opened.browser.until(lambda: pixel(opened.regions()[0].mask, place) == there, "the edit")
    (edited,) = opened.regions()
    assert edited.id == cake.id
    opened.wait_until_saved(demo.api, opened.task, masks=1)
    opened.browser.until(
        lambda: pixel(opened.saved_mask(demo.api, opened.task, cake.id), place) == there,
        "the draft to hold the edit",
    )

    opened.click("Cup", *CUP)
    (cup,) = opened.suggestions()
    assert not thick(cup.mask & edited.mask)
    opened.accept_all()
    assert same(by_label(opened.regions())["Cake"], edited)

    opened.wait_until_saved(demo.api, opened.task, masks=2, clicks=0)
    wrong = inside(edited.mask, place)
    opened.click("Cake", *FREE, negative=True)
    opened.drag_click(FREE, wrong)
    smaller = by_label(opened.suggestions())["Cake"]
    assert smaller.id == cake.id
    assert not pixel(smaller.mask, wrong)
    assert pixel(smaller.mask, place) == there, "the edit is lost"
    opened.reject_all()
    seen = by_label(opened.regions())
    assert same(seen["Cake"], edited)

    opened.submit()
    kept = demo.submitted(opened.task, objects=2)
    assert {one["type"] for one in kept} == {f"{output}labels"}
    opened.open_task(opened.project, opened.task)
    opened.browser.until(lambda: len(opened.regions()) == 2, "the annotation")
    again = by_label(opened.regions())
    assert all(same(again[label], seen[label]) for label in ("Cake", "Cup"))
