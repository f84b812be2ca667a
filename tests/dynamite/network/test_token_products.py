import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import linear as torch_linear

from dynamite.network.token_products import linear


@settings(deadline=None, max_examples=30)
@given(
    shape=st.lists(st.integers(0, 50), min_size=1, max_size=3),
    channels=st.integers(1, 40),
    wanted=st.integers(1, 40),
    bias=st.booleans(),
)
def test_it_is_torchs_linear_for_any_shape(
    shape: list[int], channels: int, wanted: int, bias: bool
) -> None:
    torch.manual_seed(0)
    tokens, weight = torch.randn(*shape, channels), torch.randn(wanted, channels)
    added = torch.randn(wanted) if bias else None
    with torch.inference_mode():
        found, expected = linear(tokens, weight, added), torch_linear(tokens, weight, added)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [16, 2048])
def test_it_takes_tokens_that_do_not_lie_together(count: int) -> None:
    tokens, weight = torch.randn(2 * count, 24), torch.randn(8, 24)
    with torch.inference_mode():
        found = linear(tokens[::2], weight)
        torch.testing.assert_close(found, torch_linear(tokens[::2], weight), rtol=1e-4, atol=1e-4)
    assert found.is_contiguous()
