"""The golden inputs: weights computed from their names, images and clicks from formulas.

``data/golden`` holds the outputs of the authors' code for them: features of images A and B
(``…_features``), results of click cases a to e, and one batch of both images. Maps are stored for
every 16th channel or every second row and column, with mean, standard deviation and mean absolute
value of all of them. ``data/published_entries`` lists the state dictionaries of the eleven
published configurations.
"""

import gzip
import json
import math
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dynamite import Click, ClickSet

DATA = Path(__file__).parent / "data"

CONFIG_NAMES = (
    "swin_tiny",
    "swin_large",
    "resnet50",
    "hrnet32",
    "segformer_b0",
    "swin_tiny_abl_base",
    "swin_tiny_abl_wo_decoder",
    "swin_tiny_abl_wo_static_bg",
    "swin_tiny_abl_temporal",
    "swin_tiny_abl_spatial",
    "swin_tiny_abl_wo_spatiotemporal",
)

OVERRIDES: dict[str, dict[str, object]] = {
    "swin_tiny_abl_wo_decoder": {"decoder_layers": 0},
    "swin_tiny_abl_wo_static_bg": {"static_background_queries": 0},
    "swin_tiny_abl_temporal": {"click_encoding": "temporal"},
    "swin_tiny_abl_spatial": {"click_encoding": "spatial"},
    "swin_tiny_abl_wo_spatiotemporal": {"click_encoding": "none"},
}
"""How each configuration differs from its ``golden_preset``."""

IMAGE_SIZES = {"A": (192, 256), "B": (150, 203)}
OUTPUT_SIZES = {"A": (192, 256), "B": (225, 305)}

_OBJECTS_C = [
    [(64, 64, 0), (48.5, 70.25, 3)],
    [(96, 170, 1)],
    [(153, 85, 2), (160, 80, 4), (145, 95, 7)],
]
_CASES: dict[str, tuple[list[list[tuple[float, float, int]]], list[tuple[float, float, int]]]] = {
    "a": ([[(64, 64, 0)]], []),
    "b": ([[(64, 64, 0)], [(96, 170, 1)], [(153, 85, 2)]], []),
    "c": (_OBJECTS_C, [(10, 200, 5), (180.75, 230.5, 6)]),
    "d": (_OBJECTS_C, []),
    "e": ([[(64, 64, 0)], [(96, 170, 250)], [(153, 85, 600)]], []),
}


def golden_preset(config_name: str) -> str:
    """The preset of a configuration, to be changed by ``OVERRIDES[config_name]``."""
    return config_name.split("_abl_", maxsplit=1)[0]


@cache
def _listings() -> dict[str, list[tuple[str, list[int], str, bool]]]:
    packed = (DATA / "published_entries.json.gz").read_bytes()
    listings: dict[str, list[tuple[str, list[int], str, bool]]] = json.loads(
        gzip.decompress(packed)
    )
    return listings


def golden_entries(config_name: str) -> list[tuple[str, list[int], str, bool]]:
    """Key, shape, dtype and requires_grad of each entry of a published state dictionary."""
    return _listings()[config_name]


def golden_state_dict(config_name: str, prefix: str = "") -> dict[str, Tensor]:
    """A published state dictionary with golden weights, under the published names.

    Integer entries are zeros of their shape: none is a weight. ``prefix`` selects keys.
    """
    return {
        key: golden_tensor(key, shape) if dtype == "float32" else torch.zeros(shape).long()
        for key, shape, dtype, _ in golden_entries(config_name)
        if key.startswith(prefix)
    }


def golden_tensor(key: str, shape: list[int]) -> Tensor:
    """The golden weight of a published name."""
    bits = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    normal = bits.standard_normal(size=tuple(shape), dtype=np.float32)
    return torch.from_numpy(_scaled(key, normal))


_HALVES = (
    "relative_position_bias_table",
    "level_embed",
    "level_embed.weight",
    "query_embed",
    "static_bg_pe",
    "bg_query",
)


def _scaled(key: str, n: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    f = np.float32
    if key.endswith("running_mean"):
        return f(0.1) * n
    if key.endswith("running_var"):
        return f(1) + f(0.1) * np.abs(n)
    if key.endswith("sampling_offsets.bias"):
        return f(2) * n
    if key.endswith("static_bg_query"):
        return f(0.005) * n
    if key.endswith(_HALVES):
        return f(0.5) * n
    if n.ndim == 1:
        return f(1) + f(0.1) * n if key.endswith(".weight") else f(0.02) * n
    return f(_gain(key) / math.sqrt(math.prod(n.shape[1:]))) * n


def _gain(key: str) -> float:
    if not key.startswith("sem_seg_head."):
        return 0.5 if ".branches." in key or ".fuse_layers." in key else 1.0
    if key.endswith(("out_proj.weight", "output_proj.weight", "linear2.weight")):
        return 0.1
    if key.endswith("in_proj_weight"):
        return 2.0
    return 3.0 if "queries_nonlinear_projection" in key else 1.0


def golden_image(name: str) -> npt.NDArray[np.uint8]:
    """Golden image "A" or "B", H×W×3 uint8 RGB."""
    return make_image(*IMAGE_SIZES[name])


def make_image(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Gradients, a checkerboard and three discs, in any size."""
    y, x = np.mgrid[:height, :width]
    image = np.stack(
        [
            255 * x // (width - 1),
            255 * y // (height - 1),
            20 + 200 * ((x // 16 + y // 16) % 2),
        ],
        axis=-1,
    ).astype(np.uint8)
    side = min(height, width)
    for cy, cx, radius, color in (
        (height // 3, width // 4, side // 6, (220, 40, 60)),
        (height // 2, 2 * width // 3, side // 5, (30, 180, 90)),
        (4 * height // 5, width // 3, side // 8, (240, 220, 30)),
    ):
        image[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = color
    return image


def golden_clicks(case: str, height: int, width: int) -> tuple[ClickSet, int]:
    """The clicks of a case "a" to "e" in an image of that size, and the newest time stamp."""

    def place(clicks: list[tuple[float, float, int]]) -> list[Click]:
        return [Click(x=x * (width / 256), y=y * (height / 192), time=t) for y, x, t in clicks]

    objects, background = _CASES[case]
    clicks = ClickSet([place(clicks) for clicks in objects], place(background))
    return clicks, 7 if case == "d" else clicks.latest_time


def golden_file(name: str) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of ``data/golden/<name>.npz``, for example "swin_tiny_A_features"."""
    with np.load(DATA / "golden" / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)
