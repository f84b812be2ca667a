import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate

from dynamite.predict.label_map import label_map

Size = tuple[int, int]


def resize_and_compare(
    logits: Tensor, owners: Tensor, padded: Size, inside: Size, output: Size
) -> Tensor:
    """The definition, step by step (docs/network.md, 7)."""
    full = interpolate(logits[None], size=padded, mode="bilinear", align_corners=False)
    full = full[:, :, : inside[0], : inside[1]]
    full = interpolate(full, size=output, mode="bilinear", align_corners=False)
    return owners[full[0].argmax(dim=0)].to(torch.int16)


def smooth_logits(seed: int, queries: int, cells: Size, blobs: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, queries, *(max(2, n // blobs) for n in cells), generator=generator)
    return interpolate(coarse, size=cells, mode="bicubic")[0] * 4


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    blobs=st.sampled_from([1, 3, 8]),
    inside=st.tuples(st.integers(2, 96), st.integers(2, 96)),
    output=st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
def test_tiles_give_what_whole_maps_give(seed: int, blobs: int, inside: Size, output: Size) -> None:
    padded = tuple(-(-n // 32) * 32 for n in inside)
    owners = torch.tensor([0, 0, 1, 2, -1, -1, -1])
    logits = smooth_logits(seed, len(owners), (padded[0] // 4, padded[1] // 4), blobs)
    found = label_map(logits, owners, padded_size=padded, input_size=inside, output_size=output)
    assert found.shape == output
    assert found.dtype == torch.int16
    expected = resize_and_compare(logits, owners, padded, inside, output)
    # Rounding may decide between logits that are equal to six digits.
    assert (found != expected).sum() <= max(1, 1e-4 * expected.numel())


def test_equals_go_to_the_first_query() -> None:
    logits = torch.zeros(3, 8, 8)
    owners = torch.tensor([1, 0, -1])
    sizes = {"padded_size": (32, 32), "input_size": (32, 32), "output_size": (32, 32)}
    assert (label_map(logits, owners, **sizes) == 1).all()


def test_an_object_can_lie_between_two_background_queries() -> None:
    """Where two queries of one owner cross, a third may win: the tiles must not hide it."""
    logits = torch.zeros(3, 1, 8)
    logits[0] = 4.0
    logits[1] = torch.linspace(10, -10, 8)
    logits[2] = torch.linspace(-10, 10, 8)
    owners = torch.tensor([0, -1, -1])
    found = label_map(
        logits.expand(3, 8, 8),
        owners,
        padded_size=(32, 32),
        input_size=(32, 32),
        output_size=(32, 32),
    )
    assert found[0, 0] == -1
    assert found[0, -1] == -1
    assert found[0, 16] == 0
