"""The corners of an accepted polygon or vector, moved by hand."""

from annotator import PAGE

VALUE = (
    PAGE
    + """return page.regionStore.regions.find(
  r => (r.cleanId ?? r.id.split('#')[0]) === arguments[0]).serialize().value"""
)


def corners(person, region):
    """Percentages of the image."""
    value = person.browser.run(VALUE, region.id)
    if "points" in value:
        return [tuple(point) for point in value["points"]]
    return [(vertex["x"], vertex["y"]) for vertex in value["vertices"]]


def drag_corner(person, region, corner, end):
    """Select the region by a click into it, and drag one of its corners."""
    before = corners(person, region)
    person.browser.click_at(*person.place(*_middle(region.mask)))
    person.browser.drag(person.place(*corner), person.place(*end))
    person.browser.until(lambda: corners(person, region) != before, "the corner to move")


def remove_corner(person, region, corner):
    """Remove a corner of a selected polygon by a double click."""
    before = corners(person, region)
    person.browser.double_click_at(*person.place(*corner))
    person.browser.until(lambda: len(corners(person, region)) < len(before), "the corner to go")


def _middle(mask):
    rows, columns = mask.nonzero()
    middle = len(rows) // 2
    height, width = mask.shape
    return (columns[middle] + 0.5) / width * 100, (rows[middle] + 0.5) / height * 100
