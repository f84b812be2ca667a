"""What every region of a page has, whatever its shape."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class ImageKey:
    """One image of a task: the name of its tag and its index in that tag's list of images."""

    name: str
    index: int = 0


@dataclass(frozen=True)
class Region:
    """One region of a page.

    Attributes:
        id: unique on its page.
        label: the label it carries; empty for a saved mask without one, which keeps its pixels but
            takes no clicks.
        image: the image it lies on.
        from_name: the tag it was drawn with or belongs to.
    """

    id: str
    label: str
    image: ImageKey
    from_name: str = field(default="", kw_only=True)
