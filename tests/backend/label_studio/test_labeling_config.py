import json
from pathlib import Path

import pytest

from backend.errors import BadRequestError
from backend.label_studio.labeling_config import parse, write

CAPTURES = Path(__file__).parent.parent / "captures"


def problems(*tags, image='<Image name="image" value="$image"/>'):
    return parse(f"<View>{image}{''.join(tags)}</View>").problems


def tag(kind, *labels, name="t", extra=""):
    inside = "".join(f'<Label value="{label}"/>' for label in labels)
    return f'<{kind} name="{name}{kind}" toName="image" {extra}>{inside}</{kind}>'


def test_written_configuration_has_no_problems_and_all_labels():
    config = parse(write(["Cup", 'A "quoted" <label>', "Löffel"]))
    assert config.problems == ()
    for kind in ("keypointlabels", "rectanglelabels", "brushlabels"):
        (control,) = config.of_type(kind)
        assert control.labels[:3] == ("Cup", 'A "quoted" <label>', "Löffel")
    assert config.brush("image", "Cup") is not None
    assert config.brush("image", "Background") is None


def test_recorded_configurations_are_read():
    setup = json.loads((CAPTURES / "setup-connect.json").read_text())["request"]["body"]
    config = parse(setup["schema"])
    assert [image.value for image in config.images] == ["$image"]
    assert config.brush("image", "C").name == "brush"
    smart_only = json.loads((CAPTURES / "predict-smartonly-background.json").read_text())
    (problem,) = parse(smart_only["request"]["body"]["label_config"]).problems
    assert "smartOnly" in problem


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ([tag("KeyPointLabels", "A")], ["No <BrushLabels>"]),
        ([tag("BrushLabels", "A")], ["No <KeyPointLabels>"]),
        ([tag("BrushLabels", "A"), tag("KeyPointLabels", "A", "X")], ['"X"', "not in BrushLabels"]),
        ([tag("BrushLabels", "A", "X"), tag("KeyPointLabels", "A")], ['"X"', "painted by hand"]),
        (
            [tag("BrushLabels", "A"), tag("KeyPointLabels", "A", extra='smart="false"')],
            ["never asks"],
        ),
        (
            [tag("BrushLabels", "A", "Background"), tag("KeyPointLabels", "A", "Background")],
            ["collects background clicks"],
        ),
        (['<BrushLabels name="b" toName="img"><Label value="A"/></BrushLabels>'], ['"img"']),
    ],
)
def test_problem_says_what_is_wrong(tags, words):
    text = " ".join(problems(*tags))
    assert all(word in text for word in words), text


def test_configuration_without_image_says_so():
    assert "no <Image>" in problems(tag("BrushLabels", "A"), image="")[0]


def test_background_label_may_lack_a_brush_label():
    tags = tag("BrushLabels", "A"), tag("KeyPointLabels", "A", "Background")
    assert problems(*tags) == ()
    assert parse(f"<View>{''.join(tags)}</View>", background=["Nothing"]).background == {"Nothing"}


def test_labels_from_the_task_and_aliases_are_taken():
    config = parse(
        '<View><Image name="i" valueList="$pages"/>'
        '<BrushLabels name="b" toName="i" value="$labels"/>'
        '<KeyPointLabels name="k" toName="i"><Label value="Long" alias="short"/></KeyPointLabels>'
        "</View>"
    )
    assert config.images[0].many
    assert config.brush("i", "anything") is not None
    assert config.of_type("keypointlabels")[0].labels == ("short",)


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "   ",
        "<View>",
        "no xml",
        "<View>" + " " * 1_000_001 + "</View>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><View>&b;</View>',
    ],
    ids=["empty", "blank", "unclosed", "text", "huge", "entities"],
)
def test_unusable_configuration_is_refused(xml):
    with pytest.raises(BadRequestError) as caught:
        parse(xml)
    assert caught.value.code == "bad_label_config"


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("$image", True),
        ("$photo.url", True),
        ("$images[0]", True),
        ("https://host/$name", True),
        ("/data/upload/1/a.png", True),
        ("data:image/png;base64,AA==", True),
        ("image", False),
        ("", False),
    ],
)
def test_a_value_that_leads_to_no_address_is_named(value, fits):
    tags = tag("BrushLabels", "A"), tag("KeyPointLabels", "A")
    found = problems(*tags, image=f'<Image name="image" value="{value}"/>')
    assert [f'"{value}"' in problem for problem in found] == [True] * (not fits)


def test_attributes_are_read_in_any_case_as_by_the_page():
    config = parse(
        '<View><Image name="i" valuelist="$pages"/>'
        '<BrushLabels name="b" toname="i"><Label value="A"/></BrushLabels></View>'
    )
    assert config.images[0].many
    assert config.brush("i", "A") is not None


def test_two_images_of_one_name_are_named_since_no_click_on_them_is_accepted():
    two = '<Image name="image" value="$left"/><Image name="image" value="$right"/>'
    (found, *_) = problems(tag("BrushLabels", "A"), tag("KeyPointLabels", "A"), image=two)
    assert '2 <Image> tags have the name "image"' in found
