"""Benchmarks the mask decoder of the published Swin-T at 1024²: 65,536 tokens."""

import torch

from benchmarks import plain
from benchmarks.table import Row
from benchmarks.timing import medians
from dynamite.network.mask_decoder import MaskDecoder

CHANNELS, HEADS, LAYERS, FEEDFORWARD, SIDE = 256, 8, 5, 512, 256


@torch.inference_mode()
def run(crowds: tuple[int, ...] = (1, 10)) -> list[Row]:
    torch.manual_seed(0)
    decoder = MaskDecoder(CHANNELS, HEADS, LAYERS, FEEDFORWARD).eval()
    half = MaskDecoder(CHANNELS, HEADS, LAYERS, FEEDFORWARD).eval()
    half.load_state_dict(decoder.state_dict())
    half.multiply_in(torch.bfloat16)
    return [row for objects in crowds for row in _measure(decoder, half, objects)]


def _measure(decoder: MaskDecoder, half: MaskDecoder, objects: int) -> list[Row]:
    queries = objects + 9
    inputs = [torch.randn(1, CHANNELS, SIDE, SIDE)]
    inputs += [torch.randn(1, queries, CHANNELS) for _ in range(3)]
    left, right = torch.randn(2048, CHANNELS), torch.randn(CHANNELS, FEEDFORWARD)
    product = 2 * left.numel() * FEEDFORWARD * 40
    taken = medians(
        {
            "plain": lambda: plain.decode(decoder, *inputs),
            "ours": lambda: decoder(*inputs),
            "bf16": lambda: half(*inputs),
            "products": lambda: [left @ right for _ in range(40)],
        },
        repeats=3,
    )
    limit = _operations(queries) / (product / taken["products"])
    threads = torch.get_num_threads()
    note = f"{objects} objects, {threads} thread(s); plain {taken['plain']:.2f} s"
    return [
        Row("decoder, float32 / its products", taken["ours"] / limit, "×", "≤ 1.3", note),
        Row("decoder, plain / ours in float32", taken["plain"] / taken["ours"], "×", "", note),
        Row("decoder, plain / ours in bf16", taken["plain"] / taken["bf16"], "×", "≥ 3", note),
    ]


def _operations(queries: int) -> int:
    """Return the floating-point operations needed, with folded queries or not, the fewer."""
    attention = min(2 * HEADS * queries * CHANNELS, 2 * CHANNELS**2 + 2 * queries * CHANNELS)
    token = LAYERS * (attention + 2 * CHANNELS * FEEDFORWARD) + queries * CHANNELS
    return 2 * SIDE**2 * token
