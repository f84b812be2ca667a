"""How a picture file says that it is to be turned, as browsers and OpenCV hear it."""

from PIL import Image

_TAG = 0x0112


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1, as it lies, where there is none or it is broken.

    Not that of ``image.getexif``, which also believes XMP.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        value = exif.get(_TAG, 1)
    except Exception:  # broken EXIF turns nothing, in browsers too
        return 1
    return value if value in range(1, 9) else 1
