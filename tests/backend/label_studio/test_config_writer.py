from itertools import combinations

import cv2
import numpy as np
import pytest

from backend.cli.label_config import label_config
from backend.label_studio import config_check
from backend.label_studio.config_writer import BACKGROUND_COLOR, COLORS, OUTPUTS, write
from backend.label_studio.labeling_config import BOXES, POINTS, parse
from dynamite.errors import InvalidInputError

LABELS = ("Cup", 'A "quoted" <label>', "Löffel")


@pytest.mark.parametrize("output", sorted(OUTPUTS))
@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("painting", [True, False])
def test_written_configuration_has_no_problems_and_all_labels(output, boxes, painting):
    config = parse(write(LABELS, output=output, boxes=boxes, painting=painting))
    assert config_check.problems(config) == ()
    for kind in [POINTS, f"{output}labels", *[BOXES] * boxes]:
        (control,) = config.of_type(kind)
        assert control.labels[:3] == LABELS
        assert control.smart == (kind in (POINTS, BOXES))
    assert bool(config.of_type(BOXES)) == boxes
    assert config.output("image", "Cup") is not None
    assert config.output("image", "Background") is None


def test_every_row_has_a_heading_and_a_hidden_row_has_none():
    xml = write(LABELS)
    rows = [line for line in xml.splitlines() if "<Header" in line or "Labels " in line]
    assert ["<Header" in row for row in rows] == [True, False] * 3
    assert write(LABELS, boxes=False).count("<Header") == 2
    without = write(LABELS, painting=False)
    assert "Paint" not in without
    assert without.index("display: none") < without.index("<BrushLabels")


def test_thirty_labels_have_colors_that_can_be_told_apart():
    xml = write([f"label {number}" for number in range(30)])
    assert all(xml.count(color) == 3 for color in COLORS)
    codes = [*COLORS, BACKGROUND_COLOR, "#ffffff"]
    rgb = np.array([[[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in codes]])
    lab = cv2.cvtColor((rgb / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    nearest = min(np.linalg.norm(a - b) for a, b in combinations(lab, 2))
    assert nearest > 20, nearest  # 2 can be seen side by side; masks are half transparent


def test_more_labels_than_colors_are_written_all_the_same():
    names = [f"label {number}" for number in range(100)]
    (brush,) = parse(write(names)).of_type("brushlabels")
    assert list(brush.labels) == names


def test_the_command_offers_every_kind_of_mask():
    (option,) = (one for one in label_config.params if one.name == "output")
    assert option.type.choices == tuple(OUTPUTS)


def test_the_label_that_asks_for_more_can_be_clicked_and_has_no_mask():
    config = parse(write(["Cell"], like="More like this"), like=("More like this",))
    assert config_check.problems(config) == ()
    assert config.like == {"More like this"}
    assert config.takes("image", "More like this")
    assert config.output("image", "More like this") is None
    (points,) = config.of_type(POINTS)
    assert points.labels == ("Cell", "Background", "More like this")
    for labels, background in ((["More like this"], "Background"), (["Cell"], "More like this")):
        with pytest.raises(InvalidInputError, match="More like this"):
            write(labels, background, like="More like this")
