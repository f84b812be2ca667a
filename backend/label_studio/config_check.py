"""Says what will not work with a labelling config, and what to change.

However large the configuration, the words stay few and short: a project's problems go to Label
Studio, to the log and to the status page.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from backend.label_studio import repeater
from backend.label_studio.labeling_config import (
    BOXES,
    POINTS,
    Control,
    LabelingConfig,
)
from backend.label_studio.page_values import is_fixed

MAX_PROBLEMS = 20
"""Problems said of one configuration."""

_LISTED = 10  # names in one problem
_NAME = 60  # characters of a name
_ADDRESS = re.compile(r"\s*(/|data:|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)


def problems(config: LabelingConfig) -> tuple[str, ...]:
    """What will not work and what to change, in words; the first ``MAX_PROBLEMS``."""
    found = tuple(islice(_problems(config), MAX_PROBLEMS + 1))
    if len(found) > MAX_PROBLEMS:
        return (*found[:-1], "There are more problems: mend these first.")
    return found


def _problems(config: LabelingConfig) -> Iterator[str]:
    if not config.images:
        yield "There is no <Image> tag: add one, this backend works on images."
        return
    if config.template is not None:
        yield from repeater.problems(config.template)
    names = Counter(image.name for image in config.images)
    for name in [name for name, uses in names.items() if uses > 1]:
        yield (
            f"{names[name]} <Image> tags have the name {_quoted(name)}, so no click can say which "
            "it means: give each its own, and set toName of their tags."
        )
    for control in config.controls:
        if control.to_name not in names:
            yield (
                f"{_titled(control)} is for {_quoted(control.to_name)}, which is no <Image>: set "
                f"toName to one of {listed(names)}."
            )
    for image in config.images:
        if is_fixed(image.value) and not _ADDRESS.match(image.value):
            yield (
                f"The value {_quoted(image.value)} of image {_quoted(image.name)} is neither a "
                'field of the task nor an address: write value="$FIELD" with the field that holds '
                "the address."
            )
    for name in names:
        yield from _problems_of(config, name)


def _problems_of(config: LabelingConfig, image: str) -> Iterator[str]:
    prompts = config.of_type(POINTS, image) + config.of_type(BOXES, image)
    outputs = config.outputs(image)
    if not outputs:
        yield (
            f"No <BrushLabels> or <BitmaskLabels> for image {_quoted(image)}: masks have nowhere "
            "to go. Add one of them with the labels of the keypoints."
        )
    if not prompts:
        yield (
            f"No <KeyPointLabels> or <RectangleLabels> for image {_quoted(image)}: there is "
            'nothing to click with. Add KeyPointLabels with smart="true" and the labels of the '
            "masks."
        )
    elif not any(control.smart for control in prompts):
        yield (
            f'Every keypoint and rectangle tag of image {_quoted(image)} has smart="false", so the '
            'page never asks for masks: set smart="true".'
        )
    if not any(control.dynamic for control in (*prompts, *outputs)):
        yield from _label_problems(prompts, outputs, config.background, config.like)


def _label_problems(
    prompts: Iterable[Control],
    outputs: Sequence[Control],
    background: frozenset[str],
    like: frozenset[str],
) -> Iterator[str]:
    masked = {label for control in outputs for label in control.labels}
    pointed = {label for control in prompts for label in control.labels}
    title = " or ".join(dict.fromkeys(control.title for control in outputs)) or "a tag for masks"
    for control in prompts:
        if control.smart_only:
            yield (
                f'{_titled(control)} has smartOnly="true": choosing a label before the smart tool '
                'leaves no tool and clicks do nothing. Use smart="true".'
            )
        if missing := set(control.labels) - masked - background - like:
            yield (
                f"{listed(missing)} of {_titled(control)} is not in {title}: its clicks "
                "cannot become masks. Use the same values in all label tags (only "
                f"{listed(background)} may lack a mask label)."
            )
    if prompts and (missing := masked - pointed):
        yield (
            f"{listed(missing)} of {title} has no keypoint or rectangle label: it can only be "
            "painted by hand. Use the same values in all label tags."
        )
    if both := background & masked:
        yield (
            f"{listed(both)} collects background clicks and gets no mask: take it out of "
            f"{title}, or rename it if it is an object."
        )


def listed(names: Iterable[str]) -> str:
    """Names in alphabetical order, quoted; of many the first ones and how many more."""
    ordered = sorted(names)
    more = len(ordered) - _LISTED
    quoted = ", ".join(map(_quoted, ordered[:_LISTED]))
    return f"{quoted} and {more} more" if more > 0 else quoted


def _titled(control: Control) -> str:
    return f"{control.title} {_quoted(control.name)}"


def _quoted(name: str) -> str:
    """A name in double quotes, short and on one line."""
    short = name if len(name) <= _NAME else f"{name[:_NAME]}…"
    return json.dumps(short, ensure_ascii=False)
