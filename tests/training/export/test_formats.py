"""What is exported is read again: by our own reader, pycocotools, and what reads YOLO."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools.coco import COCO

from tests.training.annotation_store.builders import annotation, photo, rectangle, region
from tests.training.export.rasterizers import as_coco, as_opencv, iou
from training.annotation_store import AcceptedImage, AnnotationStore, Rejection
from training.data.coco import open_coco
from training.data.images import read_image
from training.export.pictures import pictures
from training.export.write import FORMATS, ExportError, write_export

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Of pycocotools with numpy 2."""

SIZE = (120, 160)
ODD = ["cat", "Größe: 10 % / ü", 'a, "b"\n- c', "../../etc", "0", "null"]


def disk(x=60, y=60, radius=40, hole=0):
    mask = cv2.circle(np.zeros(SIZE, np.uint8), (x, y), radius, 1, -1)
    return cv2.circle(mask, (x, y), hole, 0, -1) > 0 if hole else mask > 0


MASKS = {
    "disk": disk(),
    "ring": disk(hole=15),
    "two parts": rectangle(5, 5, 40, 60, SIZE) | rectangle(80, 20, 60, 90, SIZE),
    "box": rectangle(30, 20, 90, 70, SIZE),
    "all of it": np.ones(SIZE, np.bool_),
}


@pytest.fixture
def store(tmp_path):
    with AnnotationStore(tmp_path / "store") as found:
        yield found


def put(store, number, digest, *regions, **more):
    image = AcceptedImage(digest, *SIZE, tuple(regions))
    store.apply(replace(annotation(number, digest, **more), images=(image,)))


def accept(store, number, *regions, **more):
    digest = store.put_image(photo(more.pop("photo", number), *SIZE))
    put(store, number, digest, *regions, **more)
    return digest


@pytest.fixture
def exported(store, tmp_path):
    """Return the folder of an export of everything."""

    def write(form="coco", *, every=False, labels=()):
        chosen = pictures(store, store.annotations(), every=every)
        folder = tmp_path / "out"
        return folder, write_export(store, chosen, folder, form, labels)

    return write


def coco(folder):
    return COCO(str(folder / "annotations.json"))


@pytest.mark.parametrize("form", ["coco", "coco-polygons"])
def test_coco_is_read_by_pycocotools_and_by_our_reader(store, exported, form, capsys):
    names = list(MASKS)
    for number, name in enumerate(names, start=1):
        accept(store, number, region(MASKS[name], ODD[number]))
    folder, told = exported(form)
    read, own = coco(folder), open_coco(folder / "annotations.json")
    assert {one["name"] for one in read.cats.values()} == set(ODD[1:])
    for index, name in enumerate(names):
        (entry,) = read.loadAnns(read.getAnnIds(imgIds=[index + 1]))
        np.testing.assert_array_equal(read.annToMask(entry) > 0, MASKS[name])
        assert (entry["area"], entry["iscrowd"]) == (MASKS[name].sum(), 0)
        x, y, width, height = map(int, entry["bbox"])
        assert MASKS[name].any(0).sum() <= width and MASKS[name].any(1).sum() <= height
        assert not MASKS[name][:y].any() and not MASKS[name][:, :x].any()
        sample = own[index]
        np.testing.assert_array_equal(sample.label_map == 0, MASKS[name])
        np.testing.assert_array_equal(
            sample.image, read_image(folder / read.imgs[index + 1]["file_name"])
        )
    assert sum(told.notes.values()) == (form == "coco-polygons")  # the hole of the ring


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("fill", [as_coco, as_opencv])
def test_yolo_lines_fill_to_the_masks(store, exported, name, fill):
    accept(store, 1, region(MASKS[name], ODD[1]), region(disk(100, 60, 20), ODD[2]))
    folder, _ = exported("yolo")
    described = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert list(described["names"]) == [0, 1]
    (file,) = (folder / "labels").iterdir()
    (image,) = (folder / described["train"]).iterdir()
    assert file.stem == image.stem
    first, second = file.read_text().splitlines()
    number, *values = first.split()
    assert described["names"][int(number)] == ODD[1]
    assert described["names"][int(second.split()[0])] == ODD[2]
    points = np.array(values, float).reshape(-1, 2)
    assert points.min() >= 0 and points.max() <= 1
    assert iou(fill([points * (SIZE[1], SIZE[0])], SIZE), MASKS[name]) >= 0.99


def test_png_maps_hold_every_object_and_label(store, exported):
    large, small = (
        region(MASKS["box"], "cat", name="r1"),
        region(disk(60, 50, 15), "dog", name="r2"),
    )
    accept(store, 1, small, large)
    folder, told = exported("png")
    values = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    (name,) = values["instances"]
    instances, labels = (
        cv2.imread(str(folder / part / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        for part in ("instances", "labels")
    )
    numbers = {one["label"]: one["value"] for one in values["instances"][name]}
    inside = disk(60, 50, 15)
    np.testing.assert_array_equal(instances == numbers["dog"], inside)
    np.testing.assert_array_equal(instances == numbers["cat"], MASKS["box"] & ~inside)
    named = {label: int(value) for value, label in values["labels"].items()}
    np.testing.assert_array_equal(labels == named["cat"], MASKS["box"] & ~inside)
    np.testing.assert_array_equal(labels == 0, ~MASKS["box"] & ~inside)
    assert list(told.notes.values()) == [np.count_nonzero(inside)]


def test_more_labels_than_a_byte_holds(store, exported):
    names = [f"label {number}" for number in range(300)]
    accept(store, 1, region(disk(), names[-1]))
    folder, _ = exported("png", labels=names)
    (path,) = (folder / "labels").iterdir()
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).max() == 300


def test_known_labels_keep_their_order_and_others_follow(store, exported):
    accept(store, 1, region(disk(), "b"), region(MASKS["box"], "a", name="r2"))
    folder, _ = exported(labels=["z", "b"])
    assert [one["name"] for one in coco(folder).cats.values()] == ["z", "b", "a"]


def test_of_several_annotators_ground_truth_counts_else_the_newest(store, exported):
    accept(store, 1, region(disk()), task=7, photo=1, annotator=1)
    newer = "2026-02-01T00:00:00.000000+00:00"
    accept(store, 2, region(MASKS["box"]), task=7, photo=1, annotator=2, updated=newer)
    accept(store, 3, region(disk()), task=8, photo=2, ground_truth=True)
    accept(store, 4, region(MASKS["box"]), task=8, photo=2, updated=newer)
    accept(store, 5, region(disk()), task=9, photo=3, cancelled=True)
    folder, _ = exported()
    assert [one["annotation"] for one in coco(folder).imgs.values()] == [2, 3]


def test_every_annotation_can_be_a_picture_of_its_own(store, exported):
    for number in (1, 2):
        accept(store, number, region(disk()), task=7, photo=1, annotator=number)
    folder, told = exported(every=True)
    images = coco(folder).imgs.values()
    assert [(one["task"], one["annotator"]) for one in images] == [(7, 1), (7, 2)]
    assert told.pictures == len(list((folder / "images").iterdir())) == 2


def test_tasks_of_the_same_number_in_two_sources_keep_apart(store, exported):
    accept(store, 1, region(disk()), photo=1)
    accept(store, 1, region(disk()), photo=2, source="cvat")
    folder, _ = exported()
    names = sorted(path.name.partition("-task-1-")[0] for path in (folder / "images").iterdir())
    assert names == ["cvat", "label_studio"]


def test_an_image_that_lacks_an_object_does_not_make_it_background(store, exported):
    digest = accept(store, 1, region(disk()))
    store.apply(
        annotation(1, digest, updated="2026-03-01T00:00:00.000000+00:00"),
        [Rejection("bad_mask", "it is cut off", "r9")],
    )
    folder, _ = exported()
    assert [one["exhaustive"] for one in coco(folder).imgs.values()] == [False]


def test_a_turned_picture_is_written_as_it_is_shown(store, exported):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = store.folder / "turned.jpg"
    Image.new("RGB", (SIZE[0], SIZE[1]), "red").save(path, exif=exif)
    digest = store.put_image(path.read_bytes())
    put(store, 1, digest, region(disk()))
    folder, _ = exported()
    (file,) = (folder / "images").iterdir()
    with Image.open(file) as image:
        assert (image.height, image.width, dict(image.getexif())) == (*SIZE, {})


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_overwritten_and_no_half_export_stays(store, exported, tmp_path, form):
    accept(store, 1, region(disk()))
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError, match="nothing is overwritten"):
        exported(form)
    (tmp_path / "out").rmdir()
    broken = store.put_image(b"no picture")
    store.apply(annotation(2, broken))
    with pytest.raises(Exception, match="not a readable image"):
        exported(form)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_an_export_of_nothing_is_refused(store, exported, tmp_path):
    accept(store, 1)
    with pytest.raises(ExportError, match="no accepted mask"):
        exported()
    assert not (tmp_path / "out").exists()


def test_a_lost_image_file_is_named(store, exported):
    accept(store, 1, region(disk()))
    lost = accept(store, 2, region(disk()))
    store.image_path(lost).unlink()
    _, told = exported()
    assert told.missing == [f"task-2-{lost[:8]}"]
    assert told.pictures == 1
