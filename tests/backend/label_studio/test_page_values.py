"""Values of tags against what Label Studio 1.23.2's page makes of them (lodash's ``get``)."""

import pytest

from backend.label_studio.page_values import MAX_TEXT, is_fixed, resolve

DATA = {
    "image": "a.png",
    "photo": {"url": "b.png", "size": {"w": 7}},
    "photo.url": "literal.png",
    "images": ["c.png", {"src": "d.png"}],
    "deep.name": {"x": "e.png"},
    "page": {"name.png": "f.png"},
    "my-image": "g.png",
    "id": 12,
    "scale": 2.0,
    "half": 0.5,
    "yes": True,
    "none": None,
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$image", "a.png"),
        ("$photo.url", "literal.png"),
        ("$photo.size.w", 7),
        ("$photo", DATA["photo"]),
        ("$images", DATA["images"]),
        ("$images[0]", "c.png"),
        ("$images.0", "c.png"),
        ("$images[1].src", "d.png"),
        ("$deep.name", {"x": "e.png"}),
        ("$deep.name.x", None),
        ("$my-image", "g.png"),
        ("$missing", None),
        ("$none", None),
        ("$none.x", None),
        ("$images[2]", None),
        ("$images[-1]", None),
        ("$images[01]", None),
        ("$images.src", None),
        ("$image.x", None),
        ("$image[0]", None),
        ("$images[" + "9" * 40 + "]", None),
        ("http://h/$image", "http://h/a.png"),
        ("http://h/$image?n=$id&s=$scale&h=$half&y=$yes", "http://h/a.png?n=12&s=2&h=0.5&y=true"),
        ("http://h/$photo.size.w/x", "http://h/7/x"),
        ("http://h/$missing", None),
        ("http://h/$id.png", None),  # a dot belongs to the path, as in the page
        ("http://h/$images", None),
        ("$image$image", "a.pnga.png"),
        ("https://h/a.png", "https://h/a.png"),
        ("cost: 5$", "cost: 5$"),
        ("$", "$"),
    ],
)
def test_a_value_is_resolved_as_in_the_page(value, expected):
    assert resolve(value, DATA) == expected


def test_a_text_of_many_large_fields_is_not_built():
    assert resolve("$a " * 100, {"a": "x" * (MAX_TEXT // 50)}) is None


@pytest.mark.parametrize(
    ("value", "fixed"),
    [
        ("$a", False),
        ("http://h/$a", False),
        ("http://h/a", True),
        ("image", True),
        ("", True),
        ("$", True),
    ],
)
def test_what_is_the_same_in_every_task(value, fixed):
    assert is_fixed(value) is fixed
