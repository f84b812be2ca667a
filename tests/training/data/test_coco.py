import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from training.data.coco import CocoDataset, open_coco
from training.data.images import image_size, read_image
from training.data.masks import decode
from training.data.problems import DatasetError

MINI = Path(__file__).parent / "mini"


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """Return a copy of the small set with its json changed by the given function."""

    def change(edit: Callable[[dict[str, Any]], None]) -> Path:
        shutil.copytree(MINI, tmp_path / "mini")
        path = tmp_path / "mini" / "annotations.json"
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))
        return path

    return change


def test_real_photos_with_polygons_and_a_crowd() -> None:
    dataset = open_coco(MINI / "annotations.json")
    assert len(dataset) == 5
    assert dataset.name == "mini"
    assert dataset.sample_ids[0] == "mini/images/000000000030.jpg"
    content = json.loads((MINI / "annotations.json").read_text())
    sample = dataset[2]
    assert sample.image.shape == (128, 192, 3)
    annotations = [a for a in content["annotations"] if a["image_id"] == 3]
    assert len(sample.labels) == sum(not a["iscrowd"] for a in annotations)
    crowd = next(a for a in annotations if a["iscrowd"])
    crowd_mask = decode(crowd["segmentation"], (128, 192))
    assert (sample.ignore == (crowd_mask & (sample.label_map == -1))).all()
    assert sample.ignore.any()
    assert sample.label_map.max() == len(sample.labels) - 1
    assert (np.diff([decode(a["segmentation"], (128, 192)).sum() for a in annotations]) != 0).any()


def test_ignore_bands_and_all_three_encodings() -> None:
    sample = open_coco(MINI / "annotations.json")[4]
    content = json.loads((MINI / "annotations.json").read_text())
    annotations = [a for a in content["annotations"] if a["image_id"] == 5]
    assert isinstance(annotations[0]["segmentation"]["counts"], str)
    assert isinstance(annotations[1]["segmentation"]["counts"], list)
    assert not sample.exhaustive
    assert set(sample.labels) == {"nucleus"}
    assert len(sample.labels) == len(annotations)
    band = decode(annotations[0]["ignore"], sample.ignore.shape)
    assert (sample.ignore == band).all()
    second = decode(annotations[1]["segmentation"], sample.ignore.shape) & ~band
    index = sample.label_map[second][0]
    assert ((sample.label_map == index) == second).all()


def test_the_picture_is_rgb_and_turned_as_exif_says(tmp_path: Path) -> None:
    from PIL import Image

    red_above_blue = np.zeros((20, 10, 3), np.uint8)
    red_above_blue[:10, :, 0] = 255
    red_above_blue[10:, :, 2] = 255
    picture = Image.fromarray(np.rot90(red_above_blue).copy())
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90° clockwise to see it upright
    picture.save(tmp_path / "a.png", exif=exif)
    polygon = [0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 10, "height": 20}],
        "annotations": [{"id": 0, "image_id": 1, "category_id": 0, "segmentation": [polygon]}],
        "categories": [{"id": 0, "name": "sky", "isthing": 0}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    sample = open_coco(tmp_path / "a.json")[0]
    assert (sample.image == red_above_blue).all()
    assert sample.labels == ("sky",)
    assert sample.stuff == (True,)
    assert (sample.image[sample.label_map == 0] == (255, 0, 0)).all()


def first(content: dict[str, Any]) -> dict[str, Any]:
    annotation: dict[str, Any] = content["annotations"][0]
    return annotation


FAULTS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "missing file": (
        "gone.jpg",
        lambda c: c["images"][0].update(file_name="images/gone.jpg"),
    ),
    "bad polygon": ("annotation 1", lambda c: first(c).update(segmentation=[[1, 1, 2, 2]])),
    "outside the image": (
        "annotation 1",
        lambda c: first(c).update(segmentation=[[900, 900, 950, 900, 950, 950]]),
    ),
    "wrong size": (
        "annotation 1",
        lambda c: first(c).update(segmentation={"size": [1, 1], "counts": [1]}),
    ),
    "unknown encoding": ("annotation 1", lambda c: first(c).update(segmentation="zlib")),
    "wrong run lengths": (
        "annotation 1",
        lambda c: first(c).update(segmentation={"size": [128, 192], "counts": [1, 2]}),
    ),
    "empty mask": (
        "annotation 1",
        lambda c: first(c).update(segmentation=[[1, 1, 1, 1, 1, 1]]),
    ),
    "duplicate id": ("annotation 1", lambda c: c["annotations"][1].update(id=1)),
    "unknown image": ("annotation 1", lambda c: first(c).update(image_id=77)),
    "unknown category": ("annotation 1", lambda c: first(c).update(category_id=77)),
    "bad entry": ("annotations.json", lambda c: c["images"][0].update(width="wide")),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_named_counted_and_skipped_only_when_asked(
    kind: str, copy: Callable[[Callable[[dict[str, Any]], None]], Path]
) -> None:
    where, edit = FAULTS[kind]
    path = copy(edit)
    with pytest.raises(DatasetError, match=kind) as caught:
        open_coco(path)
    assert where in str(caught.value)
    dataset = open_coco(path, on_problem="skip")
    assert dataset.problems.counts()[kind] >= 1
    for index in range(len(dataset)):
        assert dataset[index].labels
    sound = open_coco(MINI / "annotations.json")
    left = sum(len(dataset[i].labels) for i in range(len(dataset)))
    assert left < sum(len(sound[i].labels) for i in range(len(sound)))


def test_an_empty_rle_is_an_empty_mask(
    copy: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    size = {"height": 128, "width": 192}
    path = copy(
        lambda c: first(c).update(
            segmentation={
                "size": [c["images"][0][side] for side in size],
                "counts": [c["images"][0]["height"] * c["images"][0]["width"]],
            }
        )
    )
    assert open_coco(path, on_problem="skip").problems.counts() == {"empty mask": 1}


def test_a_crowd_is_told_by_a_number_or_a_truth_value(
    copy: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    path = copy(lambda c: first(c).update(iscrowd="0"))
    with pytest.raises(DatasetError, match="annotation 1: bad entry: `iscrowd` is '0'"):
        open_coco(path)
    content = json.loads(path.read_text())
    for none in (False, None):
        first(content)["iscrowd"] = none
        path.write_text(json.dumps(content))
        assert len(open_coco(path)) == 5


def test_a_name_that_no_file_can_have_is_a_missing_file(
    copy: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    path = copy(lambda c: c["images"][0].update(file_name="x" * 300 + ".jpg"))
    assert open_coco(path, on_problem="skip").problems.counts() == {"missing file": 1}


def test_a_picture_that_is_cut_off_or_far_too_large_is_found_at_once(
    copy: Callable[[Callable[[dict[str, Any]], None]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy(lambda content: None)
    image = path.parent / "images" / "000000000030.jpg"
    data = image.read_bytes()
    image.write_bytes(data[:-200])
    assert open_coco(path, on_problem="skip").problems.counts() == {"unreadable image": 1}
    image.write_bytes(data + bytes(200))  # some cameras append to a picture
    assert len(open_coco(path)) == 5
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 10)
    problems = open_coco(path, on_problem="skip").problems
    assert problems.counts() == {"unreadable image": 5}
    assert "exceeds limit" in str(problems)


@pytest.mark.parametrize("missing", [1, 4])
def test_a_png_that_lacks_its_last_bytes_is_found_at_once(tmp_path: Path, missing: int) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((6, 9, 3), np.uint8))
    assert image_size(path) == (6, 9)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(DatasetError, match=r"a\.png: not a readable image"):
        image_size(path)


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax'
    '-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    "</rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize("turned_by", ["nothing", "exif", "xmp"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
def test_the_size_is_that_of_the_pixels_whatever_says_how_a_picture_lies(tmp_path, kind, turned_by):
    """An accepted image whose size differed from the json failed every training that used it."""
    exif, text = Image.Exif(), PngInfo()
    exif[0x112] = 6
    text.add_itxt("XML:com.adobe.xmp", XMP)
    xmp = {"pnginfo": text} if kind == "PNG" else {"xmp": XMP.encode()}
    more = {"nothing": {}, "exif": {"exif": exif.tobytes()}, "xmp": xmp}[turned_by]
    path = tmp_path / "picture"
    Image.new("RGB", (60, 40)).save(path, kind, **more)
    assert image_size(path) == read_image(path).shape[:2]


PLACES = (
    "images",
    "images.id",
    "images.file_name",
    "images.width",
    "images.height",
    "images.exhaustive",
    "annotations",
    "annotations.id",
    "annotations.image_id",
    "annotations.category_id",
    "annotations.iscrowd",
    "annotations.segmentation",
    "annotations.ignore",
    "categories",
    "categories.id",
    "categories.name",
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@given(
    place_and_key=st.sampled_from(PLACES),
    value=json_values,
)
@settings(max_examples=50, deadline=None)
def test_no_json_does_worse_than_a_named_fault(place_and_key: str, value: object) -> None:
    content = json.loads((MINI / "annotations.json").read_text())
    place, _, key = place_and_key.partition(".")
    if key:
        content[place][0][key] = value
    else:
        content[place][0] = value
    dataset = CocoDataset(content, MINI, MINI / "a.json", name="mini", on_problem="skip")
    assert len(dataset) >= 3
    assert dataset[0].sample_id == dataset.sample_ids[0]


def test_an_error_names_twenty_problems_and_counts_all(
    copy: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    def spoil(content: dict[str, Any]) -> None:
        for annotation in content["annotations"]:
            annotation["segmentation"] = "?"

    path = copy(spoil)
    total = len(json.loads(path.read_text())["annotations"])
    with pytest.raises(DatasetError) as caught:
        open_coco(path)
    message = str(caught.value)
    assert f"{total} problems ({total} × unknown encoding)" in message
    assert message.count("unknown encoding: ") == 20
    assert f"and {total - 20} more" in message


def test_a_picture_of_another_size_or_broken_is_named(
    copy: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    path = copy(lambda content: None)
    image = path.parent / "images" / "000000000030.jpg"
    cv2.imwrite(str(image), np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(DatasetError, match=r"000000000030.jpg: wrong size: is \[5, 5\]"):
        open_coco(path)
    image.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"000000000030.jpg: unreadable image"):
        open_coco(path)


def test_a_json_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        open_coco(tmp_path / "none.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DatasetError, match="not json"):
        open_coco(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(DatasetError, match="not json: maximum recursion"):
        open_coco(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DatasetError, match="no list `images`"):
        open_coco(tmp_path / "a.json")


def test_images_without_objects_are_left_out_and_listed(
    copy: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    def empty(content: dict[str, Any]) -> None:
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] != 2]

    path = copy(empty)
    dataset = open_coco(path)
    assert len(dataset) == 4
    assert dataset.without_objects == ["mini/images/000000000086.jpg"]
    kept = open_coco(path, keep_empty=True)
    assert len(kept) == 5
    assert kept[1].labels == ()
    assert (kept[1].label_map == -1).all()


def test_an_object_that_is_wholly_hidden_stays_only_when_asked(
    copy: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    def cover(content: dict[str, Any]) -> None:
        content["annotations"].append(content["annotations"][0] | {"id": 99})

    path = copy(cover)
    assert len(open_coco(path)[0].labels) == 2
    sample = open_coco(path, keep_hidden=True)[0]
    assert len(sample.labels) == 3
    assert sorted(sample.areas > 0) == [False, True, True]


def test_metadata_that_pillow_minds_makes_no_picture_unreadable(tmp_path: Path) -> None:
    """Browsers and OpenCV pass over a wrong checksum of a chunk that says nothing of the pixels."""
    data = cv2.imencode(".png", np.zeros((6, 9, 3), np.uint8))[1].tobytes()
    place = data.index(b"IDAT") - 4
    path = tmp_path / "a.png"
    path.write_bytes(data[:place] + b"\0\0\0\3tEXtc\0x1234" + data[place:])
    assert image_size(path) == (6, 9)
