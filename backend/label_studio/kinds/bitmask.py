"""Bitmask regions: a PNG in a ``data:`` address."""

from backend.errors import ImageError
from backend.label_studio.data_uri import MAX_DATA_URI, is_data_uri, read_data_uri, write_data_uri
from backend.label_studio.kinds.kind import Form, Read, Rings
from backend.label_studio.raw_values import Raw, RegionError, shown
from backend.session.bitmask import Mask
from backend.session.stored_masks import Png
from dynamite import mask_png


class Bitmask:
    """Every mask, to the pixel."""

    name = "Bitmask"
    verb = "Paint"
    since = "1.21.0"
    remark = ""
    keys = ("imageDataURL",)

    def form(self, mask: Mask, tolerance: float, known: Rings = ()) -> Form:  # noqa: ARG002
        """Return a mask as PNG."""
        address = write_data_uri(mask_png.encode(mask), "image/png")
        return Form(mask, ({"imageDataURL": address},))

    def read(self, value: Raw) -> Read:
        """Read a PNG; one that was corrected by hand has soft edges."""
        address = value["imageDataURL"]
        if not isinstance(address, str) or not is_data_uri(address):
            raise RegionError(f"its imageDataURL is {shown(address)}, not data:image/png;base64,…")
        try:
            return Png(read_data_uri(address, MAX_DATA_URI)), ()
        except ImageError as error:
            raise RegionError(f"its imageDataURL cannot be read: {error}") from error
