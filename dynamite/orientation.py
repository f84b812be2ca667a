"""Reads the orientation of a picture file, as browsers and OpenCV do."""

from PIL import Image

_TAG = 0x0112


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (unrotated) if there is none or it is broken.

    ``image.getexif`` is not used, because it also reads XMP.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        value = exif.get(_TAG, 1)
    except Exception:  # browsers ignore broken EXIF, too
        return 1
    return value if value in range(1, 9) else 1
