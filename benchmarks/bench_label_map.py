"""Benchmarks the label map of a 4000×3000 photo with 10 objects."""

import torch
from torch.nn.functional import interpolate

from benchmarks import plain
from benchmarks.table import Row
from benchmarks.timing import medians, peak_mb
from dynamite.predict.label_map import label_map

PADDED, INSIDE, OUTPUT = (832, 1088), (800, 1066), (3000, 4000)


@torch.inference_mode()
def run() -> list[Row]:
    rows = []
    for name, logits in (("ten discs", discs()), ("noise of 32 px", noise())):
        owners = torch.tensor([*range(10), *[-1] * 9])

        def ours(logits: torch.Tensor = logits, owners: torch.Tensor = owners) -> torch.Tensor:
            return label_map(
                logits, owners, padded_size=PADDED, input_size=INSIDE, output_size=OUTPUT
            )

        def theirs(logits: torch.Tensor = logits, owners: torch.Tensor = owners) -> torch.Tensor:
            return plain.label_map(logits, owners, PADDED, INSIDE, OUTPUT)

        peak = peak_mb(ours)  # measured first, because the allocator keeps memory after a run
        different = float((ours() != theirs()).float().mean())
        taken = medians({"plain": theirs, "ours": ours}, repeats=3)
        note = f"{name}; plain {taken['plain']:.2f} s"
        rows += [
            Row("label map, 12 Mpx", taken["ours"] * 1000, "ms", "≤ 400", note),
            Row("label map, plain / ours", taken["plain"] / taken["ours"], "×", "", note),
            Row("label map, memory above idle", peak, "MB", "≤ 300", name),
            Row("label map, pixels unlike plain", different, "", "≤ 1e-4", name),
        ]
    return rows


def discs() -> torch.Tensor:
    """Return the logits of ten round objects and nine background queries."""
    height, width = PADDED[0] // 4, PADDED[1] // 4
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    generator = torch.Generator().manual_seed(0)
    maps = [
        15 - ((y - height * cy) ** 2 + (x - width * cx) ** 2).sqrt() * 0.6
        for cy, cx in torch.rand(10, 2, generator=generator).tolist()
    ]
    background = torch.randn(9, height, width, generator=generator)
    return torch.cat((torch.stack(maps), background))


def noise() -> torch.Tensor:
    """Return noise, as from random weights: borders nearly everywhere."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 19, PADDED[0] // 32, PADDED[1] // 32, generator=generator) * 4
    return interpolate(coarse, size=(PADDED[0] // 4, PADDED[1] // 4), mode="bicubic")[0]
