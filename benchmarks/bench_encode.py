"""Benchmarks the pixel decoder of the published Swin-T at 1024², most of an encode."""

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

import dynamite
from benchmarks import plain
from benchmarks.table import Row
from benchmarks.timing import medians
from dynamite.network.token_products import linear


@torch.inference_mode()
def run() -> list[Row]:
    model = dynamite.load("swin_tiny", random_weights=True)
    written_out = plain.plain_pixel_decoder(copy.deepcopy(model.pixel_decoder))
    image = torch.randn(1, 3, 1024, 1024)
    maps = model.backbone(image)
    # The time this machine takes for as many multiplications in products of good sizes.
    tokens, weight = torch.randn(1 << 14, 1024), torch.randn(1024, 1024)
    product = 2 * tokens.numel() * len(weight)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.pixel_decoder(maps)
    ours, theirs = model.pixel_decoder(maps)[0], written_out(maps)[0]
    taken = medians(
        {
            "backbone": lambda: model.backbone(image),
            "plain": lambda: written_out(maps),
            "ours": lambda: model.pixel_decoder(maps),
            "products": lambda: linear(tokens, weight),
        },
        repeats=3,
    )
    note = f"plain {taken['plain']:.2f} s, backbone {taken['backbone']:.2f} s"
    limit = counter.get_total_flops() * taken["products"] / product
    return [
        Row("pixel decoder / its products", taken["ours"] / limit, "×"),
        Row("pixel decoder, plain / ours", taken["plain"] / taken["ours"], "×", "≥ 2", note),
        Row(
            "largest difference of mask features", float((ours - theirs).abs().max()), "", "≤ 1e-4"
        ),
    ]
