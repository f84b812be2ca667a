"""The codec against the Python reference of the format, and against malformed streams."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dynamite import brush_rle
from dynamite.errors import InvalidInputError
from tests.label_studio_sdk import Sdk

# Of a 1×1 mask; the last three bits belong to the first record.
HEADER = [0, 0, 0, 4, 0b00111001, 0b00011011, 0b11111000]


@pytest.fixture(scope="session")
def sdk() -> Iterator[Sdk]:
    with Sdk() as sdk:
        yield sdk


def alpha(mask: np.ndarray) -> np.ndarray:
    return mask * np.uint8(255) if mask.dtype == bool else mask


def check_against_sdk(sdk: Sdk, mask: np.ndarray) -> None:
    rle = brush_rle.encode(mask)
    assert sdk.mask2rle(alpha(mask)) in (rle, [*rle, 0])
    assert (sdk.decode_rle(rle) == alpha(mask).repeat(4)).all()
    assert json.loads(json.dumps(rle)) == rle
    decoded = brush_rle.decode(rle, mask.shape)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, alpha(mask))


def runs_to_mask(runs: list[tuple[int, int]], height: int) -> np.ndarray:
    flat = np.repeat(
        np.array([value for value, _ in runs], np.uint8), [length for _, length in runs]
    )
    return flat[: flat.size // height * height].reshape(height, -1)


shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)
masks = st.one_of(
    hnp.arrays(np.bool_, shapes),
    hnp.arrays(np.uint8, shapes),
    hnp.arrays(np.uint8, shapes, elements=st.sampled_from([0, 255])),
)
# Around every length that needs a larger field, and around the longest run.
edges = st.sampled_from(
    [1, 2, 3, 4, 5, 63, 64, 65, 256, 16383, 16384, 16385, 16400, 32768, 32769, 50000]
)
long_runs = st.lists(st.tuples(st.integers(0, 255), edges), min_size=1, max_size=8)


@settings(deadline=None, max_examples=50)
@given(mask=masks)
def test_bytes_are_those_of_the_sdk(sdk: Sdk, mask: np.ndarray) -> None:
    check_against_sdk(sdk, mask)


@settings(deadline=None, max_examples=40)
@given(runs=long_runs)
def test_bytes_are_those_of_the_sdk_for_every_length_of_run(
    sdk: Sdk, runs: list[tuple[int, int]]
) -> None:
    check_against_sdk(sdk, runs_to_mask(runs, 1))


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((1, 1), bool),
        np.ones((1, 1), bool),
        np.zeros((600, 400), bool),
        np.ones((600, 400), np.uint8),
        np.arange(256, dtype=np.uint8).reshape(16, 16),
        np.eye(64, dtype=bool),
        np.asfortranarray(np.eye(9, 5, dtype=bool)),
        np.eye(64, dtype=bool)[::2, ::-3],
    ],
    ids=["off", "on", "empty", "full", "all alphas", "diagonal", "columns first", "strided"],
)
def test_masks_at_the_edge(sdk: Sdk, mask: np.ndarray) -> None:
    check_against_sdk(sdk, mask)


@pytest.mark.parametrize("threes", range(8))
def test_the_last_byte_is_filled_as_by_the_page(sdk: Sdk, threes: int) -> None:
    """The SDK adds one to a stream that ends on a whole byte. A run of three takes 15 bits."""
    mask = np.resize(np.repeat([True, False], 3), (1, 3 * threes + 1))
    rle = brush_rle.encode(mask)
    bits = 53 + 15 * threes + 14
    assert len(rle) == -(-bits // 8)
    assert sdk.mask2rle(alpha(mask)) == (rle if bits % 8 else [*rle, 0])
    check_against_sdk(sdk, mask)


def test_a_large_photo(sdk: Sdk) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:768, :1024]
    disk = (y - 300) ** 2 + (x - 500) ** 2 < 250**2
    for mask in (disk, disk ^ (rng.random(disk.shape) < 0.02)):
        check_against_sdk(sdk, mask)


def write(*fields: tuple[int, int]) -> list[int]:
    """The bytes of concatenated (value, bits)."""
    text = "".join(f"{value:0{bits}b}" for value, bits in fields)
    text += "0" * (-len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]


FORMAT = [(7, 5), (2, 4), (3, 4), (7, 4), (15, 4)]


def test_literal_records_are_read(sdk: Sdk) -> None:
    """The page writes non-repeating words literally, and its channels may differ."""
    words = [1, 2, 3, 4, 9, 9, 9, 9, 0, 0, 0, 200]
    rle = write(
        (12, 32),
        *FORMAT,
        (0, 1), (1, 2), (3, 4), *((word, 8) for word in words[:4]),
        (1, 1), (0, 2), (3, 3), (9, 8),
        (1, 1), (2, 2), (2, 8), (0, 8),
        (0, 1), (0, 2), (0, 3), (200, 8),
    )  # fmt: skip
    expected = sdk.decode_rle(rle).reshape(1, 3, 4)[:, :, 3]
    np.testing.assert_array_equal(expected, [[4, 9, 200]])
    np.testing.assert_array_equal(brush_rle.decode(rle, (1, 3)), expected)


@settings(deadline=None, max_examples=50)
@given(
    records=st.lists(
        st.one_of(
            st.tuples(st.just(1), st.integers(1, 600), st.integers(0, 255)),
            st.tuples(st.just(0), st.lists(st.integers(0, 255), min_size=1, max_size=30)),
        ),
        min_size=1,
        max_size=12,
    ),
    junk=st.binary(max_size=12),
)
def test_any_mixture_of_records_reads_as_by_the_sdk(
    sdk: Sdk, records: list[tuple], junk: bytes
) -> None:
    fields, total = [], 0
    for flag, *rest in records:
        count = rest[0] if flag else len(rest[0])
        size = int(np.searchsorted([8, 16, 256, 65536], count))
        fields += [(flag, 1), (size, 2), (count - 1, (3, 4, 8, 16)[size])]
        fields += [(word, 8) for word in ([rest[1]] if flag else rest[0])]
        total += count
    if missing := -total % 4:
        fields += [(1, 1), (0, 2), (missing - 1, 3), (7, 8)]
        total += missing
    rle = write((total, 32), *FORMAT, *fields) + list(junk)
    expected = sdk.decode_rle(rle).reshape(1, -1, 4)[:, :, 3]
    np.testing.assert_array_equal(brush_rle.decode(rle, expected.shape), expected)


def test_records_need_not_be_as_short_as_they_could_be(sdk: Sdk) -> None:
    words = [7, 8, 9, 1] * 3
    fields = [field for word in words for field in ((0, 1), (3, 2), (0, 16), (word, 8))]
    rle = write((12, 32), *FORMAT, *fields)
    assert sdk.decode_rle(rle).tolist() == words
    np.testing.assert_array_equal(brush_rle.decode(rle, (3, 1)), [[1]] * 3)


def test_a_region_of_the_real_page_survives_the_way_there_and_back() -> None:
    path = Path(__file__).parent / "data" / "page_region.json"
    region = json.loads(path.read_text())
    shape = region["original_height"], region["original_width"]
    mask = brush_rle.decode(region["value"]["rle"], shape)
    assert len(np.unique(mask)) == 129, "strokes of the page are antialiased"
    assert brush_rle.encode(mask) == region["value"]["rle"]


good = brush_rle.encode(np.eye(20, dtype=bool))


@pytest.mark.parametrize(
    ("rle", "shape", "reason"),
    [
        ([], (20, 20), "cut off in its header"),
        (good[:6], (20, 20), "cut off in its header"),
        (good[:7], (20, 20), "holds 0 of 1600 words"),
        (good[:-4], (20, 20), "cut off"),
        (good, (20, 21), "1600 words does not fit a mask of 20×21 pixels"),
        (good, (0, 20), "0×20"),
        (good, (-20, -20), "-20×-20"),
        (good, 20, r"shape=20 is not \(H, W\) in whole pixels"),
        (good, (20,), r"shape=\(20,\) is not"),
        (good, (20.9, 20.9), r"shape=\(20.9, 20.9\) is not"),
        (good, ("20", "20"), r"shape=\('20', '20'\) is not"),
        ([*good[:4], good[4] ^ 8, *good[5:]], (20, 20), "names another word size"),
        ([*good[:5], good[5] ^ 1, *good[6:]], (20, 20), "names another word size"),
        ([255] * 4 + good[4:], (2**15, 2**15), "cannot decode a mask"),
        (write((4, 32), *FORMAT, (1, 1), (0, 2), (7, 3), (9, 8)), (1, 1), "ends at word 8"),
        (write((4, 32), *FORMAT, (0, 1), (3, 2), (65535, 16), (9, 8)), (1, 1), "cut off"),
        ([*good[:-1], 256], (20, 20), "0 to 255"),
        ([*good[:-1], -1], (20, 20), "0 to 255"),
        ([*good[:-1], 1.5], (20, 20), "0 to 255"),
        ([*good[:-1], None], (20, 20), "0 to 255"),
        ("10", (20, 20), "but this is a str"),
        (7, (20, 20), "but this is a int"),
        (None, (20, 20), "but this is a NoneType"),
    ],
)
def test_a_lie_is_refused_with_its_reason(rle: Any, shape: tuple[int, int], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        brush_rle.decode(rle, shape)


@settings(deadline=None, max_examples=50)
@given(data=st.binary(max_size=60), cut=st.integers(0, len(good)))
def test_no_stream_does_worse_than_be_refused(data: bytes, cut: int) -> None:
    rle = good[:cut] + list(data)
    try:
        mask = brush_rle.decode(rle, (20, 20))
    except InvalidInputError:
        return
    assert mask.shape == (20, 20)


def test_a_stream_that_claims_much_is_refused_before_much_is_allocated() -> None:
    import tracemalloc

    shape = (2**13, 2**14)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInputError, match="cut off"):
            brush_rle.decode(write((2**29, 32), *FORMAT, *[(2**27 - 1, 27)] * 20), shape)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "mask",
    [np.zeros((0, 4), bool), np.zeros(9, bool), np.zeros((3, 3, 4), np.uint8), np.eye(3)],
    ids=["no pixel", "one axis", "three axes", "float"],
)
def test_what_is_no_mask_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(InvalidInputError):
        brush_rle.encode(mask)


@pytest.mark.parametrize("mask", [[[1]], None])
def test_what_is_no_array_is_named(mask: Any) -> None:
    with pytest.raises(
        InvalidInputError, match=f"numpy array, but this is a {type(mask).__name__}"
    ):
        brush_rle.encode(mask)
