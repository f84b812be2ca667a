import json
import time
from pathlib import Path

import pytest

from backend.errors import BadRequestError
from backend.label_studio import config_check
from backend.label_studio.labeling_config import parse

CAPTURES = Path(__file__).parent.parent / "captures"


def problems(*tags, image='<Image name="image" value="$image"/>'):
    return config_check.problems(parse(f"<View>{image}{''.join(tags)}</View>"))


def tag(kind, *labels, name="t", extra=""):
    inside = "".join(f'<Label value="{label}"/>' for label in labels)
    return f'<{kind} name="{name}{kind}" toName="image" {extra}>{inside}</{kind}>'


def test_recorded_configurations_are_read():
    setup = json.loads((CAPTURES / "setup-connect.json").read_text())["request"]["body"]
    config = parse(setup["schema"])
    assert [image.value for image in config.images] == ["$image"]
    assert config.output("image", "C").name == "brush"
    smart_only = json.loads((CAPTURES / "predict-smartonly-background.json").read_text())
    (problem,) = config_check.problems(parse(smart_only["request"]["body"]["label_config"]))
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
    assert config.output("i", "anything") is not None
    assert config.of_type("keypointlabels")[0].labels == ("short",)


TOO_MANY = '<KeyPointLabels name="k"/>' * 151


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "   ",
        "<View>",
        "no xml",
        "<View>" + " " * 1_000_001 + "</View>",
        "<View>" * 101 + "</View>" * 101,
        "<View>" + '<Image name="i" value="$i"/>' * 201 + "</View>",
        "<View>" + '<BrushLabels name="b">' * 50 + "</BrushLabels>" * 50 + TOO_MANY + "</View>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><View>&b;</View>',
    ],
    ids=["empty", "blank", "unclosed", "text", "huge", "deep", "images", "tags", "entities"],
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
    assert config.output("i", "A") is not None


def test_two_images_of_one_name_are_named_since_no_click_on_them_is_accepted():
    two = '<Image name="image" value="$left"/><Image name="image" value="$right"/>'
    (found, *_) = problems(tag("BrushLabels", "A"), tag("KeyPointLabels", "A"), image=two)
    assert '2 <Image> tags have the name "image"' in found


def labels(prefix, count):
    return [f"{prefix}{number}" for number in range(count)]


@pytest.mark.security
@pytest.mark.parametrize(
    "xml",
    [
        "<View>"
        + '<Image name="i" value="$i"/>' * 99
        + tag("BrushLabels", *labels("brush", 9000), extra='toname="x"')
        + '<KeyPointLabels name="k" toName="nowhere"/>' * 99
        + "</View>",
        "<View>"
        + '<Image name="image" value="$i"/>' * 99
        + tag("BrushLabels", *labels("brush", 6000))
        + "".join(tag("KeyPointLabels", *labels("point", 60)) for _ in range(99))
        + "</View>",
        f'<View><Image name="{"i" * 300_000}" value="$i"/></View>',
        f'<View><Image name="image" value="$i"/>{tag("BrushLabels", "L" * 300_000)}</View>',
    ],
    ids=["tags", "labels", "name", "label"],
)
def test_what_is_said_of_a_hostile_configuration_is_short(xml):
    found = config_check.problems(parse(xml))
    assert 1 <= len(found) <= config_check.MAX_PROBLEMS + 1
    assert max(map(len, found)) < 2000


@pytest.mark.security
def test_checking_takes_time_in_proportion_to_the_configuration():
    """Counted in comparisons of labels: each label is looked at a few times, not once per label."""
    many = labels("a", 20_000)
    config = parse(
        f'<View><Image name="image" value="$i"/>{tag("BrushLabels", *many)}'
        f"{tag('KeyPointLabels', *many)}</View>"
    )
    started = time.process_time()
    assert config_check.problems(config) == ()
    assert all(config.takes("image", label) for label in many)
    assert time.process_time() - started < 2


@pytest.mark.security
def test_a_name_stays_on_its_line():
    (first, *_) = problems(image='<Image name="a&#10;CRITICAL" value="$i"/>')
    assert "\n" not in first


def test_a_label_belongs_to_the_tag_around_it():
    config = parse(
        '<View><Image name="i" value="$i"/><Label value="none"/><BrushLabels name="b" toName="i">'
        '<View><Label value="A"/></View></BrushLabels><Label value="none"/></View>'
    )
    assert [control.labels for control in config.controls] == [("A",)]


MIXED = """<View><Image name="i" value="$i"/><Image name="j" value="$j"/>
<KeyPointLabels name="k" toName="i"><Label value="A"/><Label value="B"/></KeyPointLabels>
<PolygonLabels name="p" toName="i"><Label value="A"/></PolygonLabels>
<BrushLabels name="b" toName="i" smart="false"><Label value="A"/><Label value="B"/></BrushLabels>
<VectorLabels name="v" toName="i" smart="false"><Label value="B"/></VectorLabels></View>"""


def test_masks_with_a_label_go_to_the_first_tag_that_has_it():
    config = parse(MIXED)
    assert config.output("i", "A").name == "p"
    assert config.output("i", "B").name == "b"
    assert config.output("j", "A") is None
    assert [control.name for control in config.outputs("i")] == ["p", "b", "v"]


def test_a_smart_tag_asks_for_masks_that_go_elsewhere():
    asks = parse(MIXED.replace('name="p"', 'name="p" smart="false"')).asks
    assert not asks("b", "i", "A")  # not smart
    asks = parse(MIXED.replace(' smart="false"', "")).asks
    assert asks("b", "i", "A")
    assert asks("v", "i", "B")
    assert not asks("p", "i", "A")  # its own masks
    assert not asks("p", "i", "C") and not asks("unknown", "i", "A")


def test_tags_beside_a_labels_tag_have_its_labels():
    config = parse(
        """<View><Image name="i" value="$i"/><Image name="j" value="$j"/>
        <Labels name="l" toName="i"><Label value="A"/></Labels>
        <Labels name="m" toName="j"><Label value="B"/></Labels>
        <KeyPoint name="k" toName="i" smart="true"/><Bitmask name="b" toName="i" smart="false"/>
        <Polygon name="p" toName="j"/></View>"""
    )
    assert config.output("i", "A").title == "Bitmask"
    assert config.output("i", "A").labels_tag == "l"
    assert config.output("j", "B").name == "p"
    assert config.output("j", "A") is None
    (point,) = config.of_type("keypointlabels", "i")
    assert (point.labels, point.smart) == (("A",), True)
    assert all(
        "Polygon" in problem or '"j"' in problem for problem in config_check.problems(config)
    )


def test_a_configuration_without_a_brush_is_fine():
    for output in ("bitmask", "polygon", "vector"):
        tags = tag(f"{output.capitalize()}Labels", "A"), tag("KeyPointLabels", "A")
        assert problems(*tags) == ()


@pytest.mark.parametrize("how", ["", 'name=""'])
def test_a_labels_tag_without_a_name_gives_its_labels_to_none(how):
    config = parse(
        f'<View><Image name="i" value="$i"/><Labels {how} toName="i"><Label value="A"/></Labels>'
        '<Brush name="b" toName="i"/></View>'
    )
    (brush,) = config.controls
    assert brush.labels == ()
