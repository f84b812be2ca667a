"""Says which page of Label Studio serves which tag of a project, and since which release."""

import re
from collections.abc import Iterable

from backend.label_studio.kinds.table import BY_TYPE
from backend.label_studio.labeling_config import BOXES, POINTS, LabelingConfig
from backend.label_studio.next.capabilities import targets

OLDEST = "1.7.3"
"""The oldest release that this backend was tried with."""

REACHES_ACCEPTED = "1.13.1"
"""The first release tried whose page makes a call for Ctrl + click into an accepted mask."""

NEXT = "the next editor (in no release up to 1.23.2)"
"""How people are told of the next editor."""


def served_tags(config: LabelingConfig) -> tuple[str, ...]:
    """Return a line for each kind of tag that a page can fill, with what masks lose in it."""
    offered = targets(config)
    lines = [
        _line(title, is_served_today=has_prompts, is_offered=title in offered) + _loses(title)
        for title, has_prompts in _outputs(config).items()
    ]
    if "RectangleLabels" in offered:
        lines.append(f"RectangleLabels: only in {NEXT}, as boxes around objects")
    return tuple(lines)


def too_new(config: LabelingConfig, release: str) -> tuple[str, ...]:
    """Return what a release of Label Studio is too old for, in words."""
    return tuple(
        f"{title} shows masks from Label Studio {since} on, and this is {release}"
        for title in _outputs(config)
        if (since := _since(title)) and _numbers(release) < _numbers(since)
    )


def too_old(release: str) -> str:
    """Return what a release of Label Studio is too old for, in words; empty if nothing is known."""
    if not re.match(r"\d+\.\d+", release):
        return ""
    if _numbers(release) < _numbers(OLDEST):
        return f"{release} is older than {OLDEST}, the oldest that was tried"
    if not reaches_accepted(release):
        return (
            f"{release} may make no call for Ctrl + click into an accepted mask, as "
            f"{REACHES_ACCEPTED} does: to change one, draw a rectangle around it or drag a click in"
        )
    return ""


def reaches_accepted(release: str) -> bool:
    """Whether the page makes a call for Ctrl + click into an accepted mask."""
    return _numbers(release) >= _numbers(REACHES_ACCEPTED)


def _outputs(config: LabelingConfig) -> dict[str, bool]:
    """Return the tags that take masks, and whether smart prompts ask for their masks today."""
    found: dict[str, bool] = {}
    for image in config.images:
        prompts = config.of_type(POINTS, image.name) + config.of_type(BOXES, image.name)
        has_prompts = any(control.smart for control in prompts)
        for control in config.outputs(image.name):
            found[control.title] = found.get(control.title, False) or has_prompts
    return found


def _line(title: str, *, is_served_today: bool, is_offered: bool) -> str:
    since = f" since Label Studio {_since(title)}" if _since(title) else ""
    if is_served_today and is_offered:
        return f"{title}: in today's page{since}, and in {NEXT}"
    if is_served_today:
        return f"{title}: in today's page{since}; {NEXT} does not take it"
    if is_offered:
        return f"{title}: only in {NEXT}: today's page needs smart keypoints or rectangles"
    return f'{title}: in no page: add KeyPointLabels with smart="true"'


def _since(title: str) -> str | None:
    return BY_TYPE[title.lower()].since or None


def _loses(title: str) -> str:
    remark = BY_TYPE[title.lower()].remark
    return f"; {remark}" if remark else ""


def _numbers(release: str) -> tuple[int, ...]:
    """Return the numbers of a release, to be compared; "1.21.0.post1" and "1.21" are known too."""
    found: Iterable[str] = re.findall(r"\d+", release)
    return (*map(int, found), 0, 0, 0)[:3]
