"""The folded and chunked decoder against the plain formulas (docs/network.md, 7)."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import relu

from dynamite.network import token_products
from dynamite.network.mask_decoder import MaskDecoder
from dynamite.network.position_encoding import encode_map


def decode_plainly(
    decoder: MaskDecoder, features: Tensor, content: Tensor, position: Tensor, embedding: Tensor
) -> Tensor:
    height, width = features.shape[-2:]
    tokens = features.flatten(2).transpose(1, 2)
    encoding = encode_map(height, width, features.shape[1]).to(features)
    for layer in decoder.layers:
        attention = layer.attention
        attended = attention.attend(
            attention.query(tokens + encoding),
            attention.key(content + position),
            attention.value(content),
            None,
        )
        tokens = layer.attention_norm(tokens + attended)
        tokens = layer.feedforward_norm(tokens + layer.linear2(relu(layer.linear1(tokens))))
    return (embedding @ tokens.transpose(1, 2)).unflatten(-1, (height, width))


def example(queries: int) -> tuple[MaskDecoder, tuple[Tensor, ...]]:
    torch.manual_seed(queries)
    decoder = MaskDecoder(64, 8, 3, 96).eval()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    features = torch.randn(2, 64, 12, 20)
    return decoder, (features, *(torch.randn(2, queries, 64) for _ in range(3)))


@pytest.mark.parametrize("queries", [1, 8, 9, 40], ids=lambda n: f"{n} queries")
@pytest.mark.parametrize("chunk", [50, 10_000])
def test_folding_and_chunks_change_nothing(
    queries: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_products, "CHUNK_TOKENS", chunk)
    decoder, inputs = example(queries)
    with torch.inference_mode():
        torch.testing.assert_close(
            decoder(*inputs), decode_plainly(decoder, *inputs), rtol=1e-3, atol=1e-3
        )


def test_gradients_pass_through_the_folding() -> None:
    decoder, inputs = example(4)
    inputs = tuple(tensor.requires_grad_() for tensor in inputs)
    found = torch.autograd.grad(decoder(*inputs).sin().sum(), inputs)
    expected = torch.autograd.grad(decode_plainly(decoder, *inputs).sin().sum(), inputs)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)
