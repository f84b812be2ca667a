from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from training.data.catalog import open_dataset
from training.data.coco import open_coco
from training.data.mask_file_datasets import MaskFileDataset
from training.data.problems import DatasetError
from training.data.sample import Sample

MINI = open_coco(Path(__file__).parent / "mini" / "annotations.json")
PHOTO: Sample = MINI[0]
LARGE, SMALL = PHOTO.label_map == 0, PHOTO.label_map == 1
assert LARGE.sum() > SMALL.sum() > 0


def write(path: Path, pixels: np.ndarray) -> Path:
    """Write an image file; colours are RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_palette(path: Path, numbers: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(numbers.astype(np.uint8), "P")
    image.putpalette([(37 * i) % 256 for i in range(768)])
    image.save(path)
    return path


def write_list(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_mat(path: Path, numbers: np.ndarray, categories: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    column = np.array(categories, np.uint8)[:, None]
    savemat(path, {"GTinst": {"Segmentation": numbers.astype(np.uint8), "Categories": column}})


def numbered() -> np.ndarray:
    """Return the photo's two objects as 1 and 2."""
    return np.where(SMALL, 2, np.where(LARGE, 1, 0))


def trimap() -> np.ndarray:
    values = np.where(LARGE, 255, 0).astype(np.uint8)
    values[:, 90:95] = 128
    return values


def grabcut(root: Path) -> None:
    write(root / "GrabCut/data_GT/b.JPG", PHOTO.image)
    write(root / "GrabCut/data_GT/a.bmp", PHOTO.image)
    for stem in "ab":
        write(root / f"GrabCut/boundary_GT/{stem}.bmp", trimap())


def berkeley(root: Path) -> None:
    write(root / "Berkeley/images/a.jpg", PHOTO.image)
    write(root / "Berkeley/images/b.jpg", PHOTO.image)
    for stem in "ab":
        write(root / f"Berkeley/masks/{stem}.png", np.dstack([trimap()] * 3))


@pytest.mark.parametrize(("name", "layout"), [("GrabCut", grabcut), ("Berkeley", berkeley)])
def test_trimaps(name: str, layout: Callable[[Path], None], tmp_path: Path) -> None:
    layout(tmp_path)
    dataset = open_dataset(name, tmp_path)
    assert list(dataset.sample_ids) == [f"{name}/a", f"{name}/b"]
    sample = dataset[0]
    assert (sample.ignore == (trimap() == 128)).all()
    assert ((sample.label_map == 0) == (trimap() == 255)).all()
    assert len(sample.labels) == 1
    assert np.abs(sample.image.astype(int) - PHOTO.image).mean() < 6


def test_coco_mval_counts_only_bright_pixels(tmp_path: Path) -> None:
    write(tmp_path / "COCO_MVal/img/a.jpg", PHOTO.image)
    write(tmp_path / "COCO_MVal/gt/a.png", np.where(LARGE, 255, 128).astype(np.uint8))
    sample = open_dataset("coco_Mval", tmp_path)[0]
    assert ((sample.label_map == 0) == LARGE).all()
    assert not sample.ignore.any()


def test_davis_as_single_frames_counts_every_color(tmp_path: Path) -> None:
    write(tmp_path / "davis/img/a.jpg", PHOTO.image)
    colors = np.zeros_like(PHOTO.image)
    colors[LARGE] = (128, 0, 0)
    colors[SMALL] = (0, 0, 1)
    write(tmp_path / "davis/gt/a.png", colors)
    sample = open_dataset("davis_single_inst", tmp_path)[0]
    assert ((sample.label_map == 0) == (LARGE | SMALL)).all()


def test_davis_2016_leaves_out_frames_without_object(tmp_path: Path) -> None:
    root = tmp_path / "DAVIS"
    lines = []
    for frame, mask in enumerate((LARGE, np.zeros_like(LARGE))):
        image, gt = f"JPEGImages/480p/cat/{frame:05d}.jpg", f"Annotations/480p/cat/{frame:05d}.png"
        write(root / image, PHOTO.image)
        write(root / gt, np.where(mask, 255, 0).astype(np.uint8))
        lines.append(f"/{image} /{gt}")
    write_list(root / "ImageSets/480p/val.txt", *lines)
    dataset = open_dataset("davis_2016_val", tmp_path)
    assert list(dataset.sample_ids) == ["davis_2016_val/cat/00000"]
    assert isinstance(dataset, MaskFileDataset)
    assert dataset.without_objects == ["davis_2016_val/cat/00001"]
    kept = open_dataset("davis_2016_val", tmp_path, keep_empty=True)
    assert [len(kept[index].labels) for index in range(len(kept))] == [1, 0]


def test_davis_2016_wants_a_mask_for_every_picture(tmp_path: Path) -> None:
    write_list(tmp_path / "DAVIS/ImageSets/480p/val.txt", "/JPEGImages/480p/cat/00000.jpg")
    with pytest.raises(DatasetError, match=r"val\.txt: bad entry: .* names no mask"):
        open_dataset("davis_2016_val", tmp_path)
    assert len(open_dataset("davis_2016_val", tmp_path, on_problem="skip")) == 0


def test_a_video_of_davis_2017_that_cannot_be_read_is_left_out_whole(tmp_path: Path) -> None:
    root = tmp_path / "DAVIS/DAVIS-2017-trainval"
    for video in ("cat", "dog"):
        for frame in range(2):
            write(root / f"JPEGImages/480p/{video}/{frame:05d}.jpg", PHOTO.image)
            write_palette(root / f"Annotations/480p/{video}/{frame:05d}.png", numbered())
    (root / "Annotations/480p/dog/00000.png").write_bytes(b"no picture")
    write_list(root / "ImageSets/2017/val.txt", "cat", "dog", "owl")
    with pytest.raises(DatasetError, match="2 × unreadable video"):
        open_dataset("davis_2017_val", tmp_path)
    dataset = open_dataset("davis_2017_val", tmp_path, on_problem="skip")
    assert list(dataset.sample_ids) == ["davis_2017_val/cat/00000", "davis_2017_val/cat/00001"]


def test_two_pictures_cannot_have_one_id(tmp_path: Path) -> None:
    grabcut(tmp_path)
    write(tmp_path / "GrabCut/data_GT/b.png", PHOTO.image)
    with pytest.raises(DatasetError, match="duplicate id: b twice"):
        open_dataset("GrabCut", tmp_path)
    assert len(open_dataset("GrabCut", tmp_path, on_problem="skip")) == 2


@pytest.mark.parametrize("damage", ["emptied", "flipped"])
def test_a_broken_file_of_sbd_is_left_out_when_asked(damage: str, tmp_path: Path) -> None:
    sbd(tmp_path)
    path = tmp_path / "sbd/dataset/inst/b.mat"
    column = np.array([9], np.uint8)[:, None]
    whole = {"GTinst": {"Segmentation": numbered().astype(np.uint8), "Categories": column}}
    savemat(path, whole, do_compression=True)
    data = bytearray(path.read_bytes())
    data[-20] ^= 255
    path.write_bytes(data if damage == "flipped" else b"")
    dataset = open_dataset("sbd_multi_insts", tmp_path, on_problem="skip")
    assert list(dataset.sample_ids) == ["sbd_multi_insts/a"]


def test_davis_2017_knows_the_objects_of_the_first_frame_only(tmp_path: Path) -> None:
    root = tmp_path / "DAVIS/DAVIS-2017-trainval"
    later = numbered()
    later[:4, :4] = 3
    for frame, numbers in enumerate((numbered(), later, np.zeros_like(later))):
        write(root / f"JPEGImages/480p/cat/{frame:05d}.jpg", PHOTO.image)
        write_palette(root / f"Annotations/480p/cat/{frame:05d}.png", numbers)
    write_list(root / "ImageSets/2017/val.txt", "cat")
    dataset = open_dataset("davis_2017_val", tmp_path)
    assert list(dataset.sample_ids) == ["davis_2017_val/cat/00000", "davis_2017_val/cat/00001"]
    for index in range(2):
        sample = dataset[index]
        assert sample.labels == ("object 1", "object 2")
        assert ((sample.label_map == 0) == LARGE).all()
        assert ((sample.label_map == 1) == SMALL).all()


def sbd(root: Path) -> None:
    write(root / "sbd/dataset/img/a.jpg", PHOTO.image)
    write_mat(root / "sbd/dataset/inst/a.mat", numbered(), [15, 9])
    write(root / "sbd/dataset/img/b.jpg", PHOTO.image)
    write_mat(root / "sbd/dataset/inst/b.mat", np.where(SMALL, 1, 0), [9])
    write_list(root / "sbd/dataset/val.txt", "a", "b")


def test_sbd_with_all_objects_of_an_image(tmp_path: Path) -> None:
    sbd(tmp_path)
    dataset = open_dataset("sbd_multi_insts", tmp_path)
    assert len(dataset) == 2
    assert dataset[0].labels == ("person", "chair")
    assert ((dataset[0].label_map == 1) == SMALL).all()
    assert dataset[1].labels == ("chair",)


def test_sbd_with_a_sample_for_each_object(tmp_path: Path) -> None:
    sbd(tmp_path)
    dataset = open_dataset("sbd_single_inst", tmp_path)
    assert list(dataset.sample_ids) == [
        "sbd_single_inst/a#1",
        "sbd_single_inst/a#2",
        "sbd_single_inst/b#1",
    ]
    for index, (label, mask) in enumerate([("person", LARGE), ("chair", SMALL)]):
        sample = dataset[index]
        assert sample.labels == (label,)
        assert ((sample.label_map == 0) == mask).all()


def test_pascal_voc_ignores_the_border(tmp_path: Path) -> None:
    root = tmp_path / "pascal_voc"
    numbers = numbered()
    border = np.zeros(numbers.shape, bool)
    border[:, 60:64] = True
    for stem in "ab":
        write(root / f"JPEGImages/{stem}.jpg", PHOTO.image)
    write_palette(root / "SegmentationObject/a.png", np.where(border, 255, numbers))
    gray = np.where(border, 220, numbers * 38).astype(np.uint8)
    write(root / "SegmentationObject/b.png", np.dstack([gray] * 3))
    write_list(root / "ImageSets/Segmentation/val.txt", "a", "b")
    dataset = open_dataset("pascal_voc_single", tmp_path)
    assert len(dataset) == 4
    for index, mask in enumerate((LARGE, SMALL) * 2):
        sample = dataset[index]
        assert ((sample.label_map == 0) == (mask & ~border)).all()
        assert (sample.ignore == border).all()


def test_faults_of_mask_files_are_named_and_skipped_only_when_asked(tmp_path: Path) -> None:
    sbd(tmp_path)
    folder = tmp_path / "sbd/dataset"
    for stem in ("big", "broken", "empty", "nomask"):
        write(folder / f"img/{stem}.jpg", PHOTO.image)
    write_mat(folder / "inst/big.mat", np.ones((3, 3)), [1])
    (folder / "inst/broken.mat").write_bytes(b"MATLAB 5.0 not at all" * 20)
    write_mat(folder / "inst/empty.mat", np.zeros(LARGE.shape), [])
    write_mat(folder / "inst/noimage.mat", numbered(), [1, 1])
    (folder / "img/noimage.jpg").write_bytes(b"nothing")
    write_list(folder / "val.txt", "a", "big", "broken", "empty", "nomask", "noimage")
    with pytest.raises(DatasetError) as caught:
        open_dataset("sbd_multi_insts", tmp_path)
    message = str(caught.value)
    assert "5 problems" in message
    for part in (
        "big.mat: wrong size: the mask is (3, 3)",
        "broken.mat: unreadable mask",
        "empty.mat: empty mask",
        "nomask.mat: missing file",
        "noimage.jpg: unreadable image",
    ):
        assert part in message
    dataset = open_dataset("sbd_multi_insts", tmp_path, on_problem="skip")
    assert list(dataset.sample_ids) == ["sbd_multi_insts/a"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("GrabCut", "data_GT: no such folder"),
        ("sbd_single_inst", r"val\.txt: the list of the set cannot be read"),
        ("coco_2017_val", r"instances_val2017\.json: cannot be read"),
        ("lvis_v1_val", r"lvis_v1_val\.json: cannot be read"),
        ("coco_lvis", r"coco_lvis\.json: cannot be read"),
    ],
)
def test_a_set_that_is_not_there_is_named(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(name, tmp_path)


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "GrabCut/data_GT").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no images"):
        open_dataset("GrabCut", tmp_path)


def test_a_mask_that_is_no_picture_is_named(tmp_path: Path) -> None:
    for name, mask in (("GrabCut", "boundary_GT/a.bmp"), ("COCO_MVal", "gt/a.png")):
        pictures = {"GrabCut": "data_GT", "COCO_MVal": "img"}[name]
        write(tmp_path / name / pictures / "a.jpg", PHOTO.image)
        (tmp_path / name / mask).parent.mkdir(parents=True)
        (tmp_path / name / mask).write_bytes(b"")
        set_name = {"GrabCut": "GrabCut", "COCO_MVal": "coco_Mval"}[name]
        with pytest.raises(DatasetError, match="unreadable mask"):
            open_dataset(set_name, tmp_path)


def test_cv2_and_pillow_agree_on_the_photo(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", PHOTO.image)
    assert (cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) == PHOTO.image).all()
