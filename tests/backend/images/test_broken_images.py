"""Broken image files of every kind: pixels or a sentence, within a bound of memory."""

import io

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from backend.errors import ImageError
from backend.images.decode import decode, image_size
from backend.label_studio.data_uri import read_data_uri
from dynamite.orientation import decode_upright, orientation
from tests.backend.images.pictures import exif, picture
from tests.hostile import broken, ends_well, examples

pytestmark = pytest.mark.security

CAP = 1_000_000
MEGABYTES = 128
"""Of memory, for a file of at most a megapixel."""


def saved(kind, image=None, *, many=False, **how):
    file = io.BytesIO()
    if many:
        how |= {"save_all": True, "append_images": [Image.fromarray(255 - picture)]}
    (Image.fromarray(picture) if image is None else image).save(file, kind, **how)
    return file.getvalue()


PICTURE = Image.fromarray(picture)
DEEP = Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60))
SAMPLES = {
    "JPEG": [
        saved("JPEG"),
        saved("JPEG", progressive=True, exif=exif(6)),
        saved("JPEG", PICTURE.convert("CMYK")),
        saved("MPO", many=True),
    ],
    "PNG": [
        saved("PNG"),
        saved("PNG", DEEP),
        saved("PNG", PICTURE.quantize(4), transparency=0, exif=exif(8)),
        saved("PNG", many=True),
    ],
    "WEBP": [saved("WEBP"), saved("WEBP", lossless=True, exif=exif(3)), saved("WEBP", many=True)],
    "GIF": [saved("GIF"), saved("GIF", many=True)],
    "TIFF": [
        saved("TIFF"),
        saved("TIFF", DEEP, compression="tiff_deflate"),
        saved("TIFF", compression="tiff_lzw", big_tiff=True),
        saved("TIFF", PICTURE.convert("1"), compression="group4"),
        saved("TIFF", many=True),
    ],
    "BMP": [saved("BMP"), saved("BMP", PICTURE.quantize(16)), saved("BMP", PICTURE.convert("1"))],
    "AVIF": [saved("AVIF"), saved("AVIF", many=True)],
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_decoding(kind):
    @examples(300)
    @given(broken(SAMPLES[kind]))
    def check(data):
        pixels = ends_well(lambda: decode(data, max_pixels=CAP), ImageError, megabytes=MEGABYTES)
        size = ends_well(lambda: image_size(data, max_pixels=CAP), ImageError)
        if not isinstance(pixels, ImageError):
            assert pixels.dtype == np.uint8
            assert pixels.shape == (*size, 3)

    for data in SAMPLES[kind]:
        assert decode(data, max_pixels=CAP).shape[2] == 3
    check()


@examples(300)
@given(broken([data for kind in SAMPLES.values() for data in kind]))
def test_orientation_is_read_of_anything(data):
    assert orientation(io.BytesIO(data)) in range(1, 9)
    found = decode_upright(data)
    assert found is None or found.dtype == np.uint8


@examples(300)
@given(broken([b"data:image/png;base64,iVBORw0KGgo=", b"data:,%20%ff#x", b"DATA:a;b,c"]))
def test_data_addresses(data):
    text = data.decode("latin-1")
    ends_well(lambda: read_data_uri(text, 100), ImageError)
