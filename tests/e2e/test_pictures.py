"""Odd files: the backend sees what Chromium shows, in the same size and orientation."""

import base64

import numpy as np
import pytest

from backend.images.decode import decode
from tests.backend.images import pictures, test_first_frame
from tests.dynamite import test_orientation as turned

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:(Corrupt EXIF|Tag data|Invalid APNG):UserWarning"),
]

SHOW = """
const [address] = arguments;
const image = new Image();
const shown = new Promise((resolve) => {
  image.onload = () => resolve(true);
  image.onerror = () => resolve(false);
});
image.src = address;
return shown.then((ok) => {
  if (!ok) return null;
  const canvas = document.createElement("canvas");
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0);
  const at = (x, y) => Array.from(context.getImageData(x, y, 1, 1).data.slice(0, 3));
  const [right, bottom] = [width - 4, height - 4];
  return [width, height, at(3, 3), at(right, 3), at(3, bottom), at(right, bottom)];
});
"""

FILES = {
    **{
        f"JPEG, {name}": turned.jpeg(turned.exif(block))
        for name, (block, _) in turned.BLOCKS.items()
    },
    **{
        f"PNG, {name}": turned.png(turned.chunk(b"eXIf", block))
        for name, (block, _) in turned.BLOCKS.items()
    },
    **{f"JPEG: {name}": data for name, (data, _) in turned.JPEGS.items()},
    **{f"PNG: {name}": data for name, (data, _) in turned.PNGS.items()},
    **{f"{name} before": pictures.png_with(chunk) for name, chunk in pictures.METADATA.items()},
    **{
        f"{name} behind": pictures.png_with(chunk, before=b"IEND")
        for name, chunk in pictures.METADATA.items()
    },
    **{f"{name} before": pictures.jpeg_with(part) for name, part in pictures.SEGMENTS.items()},
    **{
        f"CMYK, {name} before": pictures.jpeg_with(part, mode="CMYK")
        for name, part in pictures.SEGMENTS.items()
    },
    **{f"transparent: {name}": data for name, (data, _) in pictures.TRANSPARENT.items()},
    "hidden picture": test_first_frame.animated(test_first_frame.frame(0, 255 - pictures.picture)),
    "picture without frames": test_first_frame.animated(count=0),
}


@pytest.fixture(scope="module")
def page(browser):
    browser.open("about:blank")
    return browser


@pytest.mark.parametrize("name", FILES)
def test_the_backend_sees_what_the_browser_shows(page, name):
    data = FILES[name]
    shown = page.run(SHOW, "data:;base64," + base64.b64encode(data).decode())
    if shown is None:
        pytest.skip("the browser does not show this file")
    pixels = decode(data, max_pixels=10_000)
    assert pixels.shape[:2] == (shown[1], shown[0])
    np.testing.assert_allclose(pictures.corners(pixels), shown[2:], atol=12)
