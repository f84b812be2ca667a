"""How much two masks share, at the cost of their boxes and not of their image."""

from backend.session.bitmask import BitMask


def are_one(a: BitMask, b: BitMask) -> bool:
    """Whether two masks are of one object: they share more than half of what they cover.

    An accepted mask comes back pixel by pixel, a polygon about, and one corrected by hand in part.
    """
    if a.box == b.box and a.bits == b.bits:
        return True
    if (a.height, a.width) != (b.height, b.width):
        b = BitMask.of(b.sized(a.height, a.width))
    shared = _shared(a, b)
    return bool(shared) and 2 * shared > _pixels(a) + _pixels(b) - shared


def _shared(a: BitMask, b: BitMask) -> int:
    top, left = max(a.box[0], b.box[0]), max(a.box[1], b.box[1])
    bottom = min(a.box[0] + a.box[2], b.box[0] + b.box[2])
    right = min(a.box[1] + a.box[3], b.box[1] + b.box[3])
    if bottom <= top or right <= left:
        return 0
    parts = [
        mask.inside()[
            top - mask.box[0] : bottom - mask.box[0], left - mask.box[1] : right - mask.box[1]
        ]
        for mask in (a, b)
    ]
    return int((parts[0] & parts[1]).sum())


def _pixels(mask: BitMask) -> int:
    return int(mask.inside().sum())
