import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from pycocotools import mask as coco

import dynamite
from backend.cli import main
from dynamite.checkpoints import checkpoint


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    checkpoint.save(dynamite.load("lite", random_weights=True), path, {})
    return str(path)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return str(path)


def run(*arguments):
    return CliRunner().invoke(main, ["segment", *arguments])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools and numpy 2
def test_a_picture_and_masks_come_out(photo, weights, tmp_path):
    out, masks = tmp_path / "overlay.png", tmp_path / "masks.json"
    result = run(
        *(photo, "--object", "30,40", "--object", "80,50;90,60", "--background", "5,5"),
        *("--out", str(out), "--masks", str(masks), "--checkpoint", weights, "--device", "cpu"),
    )
    assert result.exit_code == 0, result.output
    assert cv2.imread(str(out)).shape == (90, 120, 3)
    document = json.loads(masks.read_text())
    decoded = [coco.decode(one["segmentation"]) for one in document["objects"]]
    assert [mask.shape for mask in decoded] == [(90, 120)] * 2
    assert np.sum(decoded, axis=0).max() <= 1
    assert [one["area"] for one in document["objects"]] == [int(mask.sum()) for mask in decoded]
    assert document["model_version"].startswith("lite")
    assert "object 2:" in result.output
    steps = [line for line in result.output.splitlines() if line.endswith(" …")]
    assert steps[0] == "Reading photo.png …"
    assert steps[1:3] == ["Loading lite …", "Computing the features of the image …"]


def test_the_first_words_come_before_torch_is_loaded(photo):
    code = (
        "import sys; from backend.cli.steps import steps\n"
        "import backend.cli.segment as command\n"
        "with steps(1) as begin: begin('Reading')\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "Reading …\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--object", "30", "--out", "o.png"], "'30' is not a point"),
        (["--object", "300,40", "--out", "o.png"], "(x=300, y=40) is outside the image of 120×90"),
        (["--object", "3,4"], "give an output"),
        (["--object", "3,4", "--out", "o.xyz"], ".png or .jpg"),
        (["--out", "o.png"], "--object"),
        (["--object", "3,4", "--out", "o.png", "--device", "tpu"], "--device is 'tpu', which"),
        (["--object", "3,4", "--out", "o.png", "--device", "meta"], "--device is 'meta', which"),
        (["--object", "3,4", "--out", "o.png", "--preset", "resnet50"], "give --checkpoint FILE"),
        (["--object", "3,4", "--out", "o.png", "--preset", "huge"], "'huge' is not one of 'swin_"),
    ],
)
def test_wrong_words_are_told(photo, arguments, words):
    result = run(photo, *arguments)
    assert result.exit_code in (1, 2)
    assert words in result.output


def test_what_is_no_image_is_told(tmp_path):
    text = tmp_path / "photo.jpg"
    text.write_text("hello")
    result = run(str(text), "--object", "1,1", "--out", "o.png")
    assert result.exit_code == 1
    assert f"{text}: " in result.output
    assert "not an image" in result.output


def test_where_nothing_can_be_written_is_told_before_anything_is_read(tmp_path):
    text = tmp_path / "photo.jpg"
    text.write_text("hello")
    for option, name in (("--out", "o.png"), ("--masks", "m.json")):
        result = run(str(text), "--object", "3,4", option, str(tmp_path / "nope" / name))
        assert result.exit_code == 2, result.output
        assert f"there is no folder {tmp_path / 'nope'}" in result.output
    assert run(str(text), "--object", "3,4", "--masks", str(tmp_path)).exit_code == 2
