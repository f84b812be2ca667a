import pytest

from backend.errors import BadRequestError
from backend.label_studio import config_check
from backend.label_studio.labeling_config import parse
from backend.label_studio.predict_request import image_addresses
from backend.session.regions import ImageKey

TAGS = (
    '<BrushLabels name="brush_{{idx}}" toName="image_{{idx}}"><Label value="A"/></BrushLabels>'
    '<KeyPointLabels name="point_{{idx}}" toName="image_{{idx}}"><Label value="A"/>'
    "</KeyPointLabels>"
)
IMAGE = '<Image name="image_{{idx}}" value="$pages[{{idx}}].url"/>'
DATA = {"pages": [{"url": "/data/upload/1/a.png"}, {"url": "/data/upload/1/b.png"}]}


def repeated(inside=IMAGE + TAGS, on="$pages", more=""):
    return f'<View><Repeater on="{on}" {more}>{inside}</Repeater></View>'


def test_tags_stand_once_for_each_item():
    config = parse(repeated())
    assert config_check.problems(config) == ()
    own = config.for_task(DATA)
    assert [image.name for image in own.images] == ["image_0", "image_1"]
    assert own.output("image_1", "A").name == "brush_1"
    assert image_addresses(DATA, config) == {
        ImageKey("image_0"): "/data/upload/1/a.png",
        ImageKey("image_1"): "/data/upload/1/b.png",
    }
    assert config.for_task(DATA) == own  # nothing of one task is left for the next
    assert config.for_task({"pages": "ab"}).images == ()
    assert config.for_task(None).images == ()


def test_an_index_flag_of_ones_own_and_repeaters_in_each_other():
    inner = repeated('<Image name="i_{{n}}_{{m}}" value="$a[{{n}}].b[{{m}}]"/>', "$a[{{n}}].b")
    xml = repeated(
        inner.replace("<Repeater", '<Repeater indexFlag="{{m}}"'), "$a", 'indexFlag="{{n}}"'
    )
    data = {"a": [{"b": ["x", "y"]}, {"b": ["z"]}]}
    assert image_addresses(data, parse(xml)) == {
        ImageKey("i_0_0"): "x",
        ImageKey("i_0_1"): "y",
        ImageKey("i_1_0"): "z",
    }


def test_a_click_on_a_repeated_image_gets_its_mask(backend, click, task):
    own = task(5) | {"data": DATA}
    region = click("A", 50, 50) | {"to_name": "image_1", "from_name": "point_1"}
    (answer,) = backend.result(region, task=own, config=repeated())
    assert (answer["to_name"], answer["from_name"]) == ("image_1", "brush_1")
    refused = backend.predict(
        {"result": [region | {"to_name": "image_2"}]}, task=own, config=repeated()
    )
    assert refused.json["error"]["code"] == "no_image"
    assert "image_1" in refused.json["error"]["message"]


def test_a_click_is_refused_where_two_images_have_one_name(backend, click, task):
    config = repeated((IMAGE + TAGS).replace("_{{idx}}", ""))
    (problem, *_) = config_check.problems(parse(config))
    assert "image_{{idx}}" in problem
    own = task(5) | {"data": DATA}
    answer = backend.predict({"result": [click("A", 50, 50)]}, task=own, config=config)
    assert answer.json["error"]["code"] == "no_image"
    assert "2 tags have the name 'image'" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (repeated(on="pages"), 'on="pages"'),
        (repeated(IMAGE) + TAGS, "is no <Image>"),
    ],
)
def test_setup_names_what_no_click_could_use(xml, words):
    xml = f"<View>{xml}</View>"
    assert any(words in problem for problem in config_check.problems(parse(xml)))


def test_a_repeater_has_bounds():
    many = parse(repeated())
    with pytest.raises(BadRequestError, match="10000 tags"):
        many.for_task({"pages": [{}] * 5_000})
    deep = repeated("<View>" * 50_000 + "</View>" * 50_000)
    with pytest.raises(BadRequestError, match="100 deep"):
        parse(deep)
