"""Says which page of Label Studio serves which tag of a project, and since which release."""

import re
from collections.abc import Iterable

from backend.label_studio.kinds.table import BY_TYPE
from backend.label_studio.labeling_config import BOXES, POINTS, LabelingConfig
from backend.label_studio.next.capabilities import targets

OLDEST = "1.13.1"
"""The oldest release that this backend was tried with."""

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


def is_untried(release: str) -> bool:
    """Whether a release of Label Studio is older than all that were tried."""
    return bool(re.match(r"\d+\.\d+", release)) and _numbers(release) < _numbers(OLDEST)


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
