"""What a network is made of: ``ModelConfig``, and the presets by name (docs/network.md, 1)."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin

from dynamite.errors import InvalidInputError
from dynamite.network.backbones.specs import BACKBONES

ClickEncoding = Literal["spatio_temporal", "spatial", "temporal", "none"]

IMAGENET_MEAN = (123.675, 116.280, 103.530)
IMAGENET_STD = (58.395, 57.120, 57.375)


NORM_GROUPS = 32
"""Groups of the pixel decoder's group norms (docs/network.md, 4)."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,59}")
_MOST = 2**15  # channels, queries, heads and pixels of an edge
_MOST_LAYERS = 100

_MAY_BE_ZERO = (
    "deformable_layers",
    "encoder_layers",
    "decoder_layers",
    "static_background_queries",
    "refiner_channels",
)


@dataclass(frozen=True, slots=True)
class Resize:
    """Input size in pixels: the shorter edge becomes ``shortest``, unless the longer one would then
    exceed ``longest``, which then decides.
    """

    shortest: int
    longest: int

    def __post_init__(self) -> None:
        if not all(type(edge) is int and 0 < edge <= _MOST for edge in self._edges):
            raise InvalidInputError(f"{self} must have edges of whole pixels, 1 to {_MOST}")

    @property
    def _edges(self) -> tuple[int, int]:
        return self.shortest, self.longest

    def scale(self, height: int, width: int) -> float:
        """Return the factor from a ``height`` × ``width`` image to the network's input."""
        return min(self.shortest / min(height, width), self.longest / max(height, width))


PAPER_RESIZE = Resize(800, 1333)
"""The input size of the published evaluation (docs/network.md, 2)."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A network. The defaults are those shared by all published models (docs/network.md, 1).

    ``decoder_layers=0``, ``static_background_queries=0`` and ``click_encoding`` are the paper's
    ablations. The additions from ``click_type_embedding`` on are off in the published presets.

    Raises:
        InvalidInputError: a value of the wrong type or out of range; the message names the field.
    """

    name: str
    backbone: str
    """A key of ``BACKBONES``."""
    hidden: int = 256
    """Channels of features and queries."""
    heads: int = 8
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Per channel of R, G, B, 0…255; subtracted from the image."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Per channel of R, G, B; the image is divided by it after the mean is subtracted."""
    resize: Resize = PAPER_RESIZE
    """Input size that ``Predictor`` uses unless it is given another."""

    deformable_layers: int = 6
    deformable_feedforward: int = 1024
    encoder_layers: int = 9
    encoder_feedforward: int = 2048
    decoder_layers: int = 5
    decoder_feedforward: int = 512
    static_background_queries: int = 9
    click_encoding: ClickEncoding = "spatio_temporal"

    # Additions to the paper, and what a CPU needs (docs/network.md, 8).
    click_type_embedding: bool = False
    """Tell queries whether they are clicks on an object or on the background."""
    object_attention: bool = False
    """Bias self-attention between queries of the same object."""
    relative_positions: bool = False
    """Let masks fall off with the distance from their click."""
    decoder_stride: Literal[4, 8] = 4
    """At 8 the mask decoder works on a quarter of the tokens; its change is added at stride 4."""
    refiner_channels: int = 0
    """Width of the convolutions that redraw each object from its mask and clicks; 0: no refiner."""
    enforce_clicks: bool = False
    """Give the pixels around a click to the click's owner. ``Predictor`` then counts a repeated
    click once."""
    drop_unclicked_components: bool = False
    """``Predictor`` gives mask components without a click to the background, and small unsure holes
    without one to the object around them."""
    target_crops: bool = False
    """``Predictor`` draws a small object that was corrected from an enlarged crop of the image."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_plain(field.name, field.type, getattr(self, field.name))
        if not _NAME.fullmatch(self.name):
            raise InvalidInputError(
                f"name={self.name[:60]!r} must have 1 to 60 letters, digits, '_', '.' and '-', the "
                "first one a letter or digit: versions are named after it"
            )
        _check_choice("backbone", self.backbone, tuple(BACKBONES))
        unit = math.lcm(NORM_GROUPS, 4 * self.heads)
        if self.hidden % unit:
            raise InvalidInputError(
                f"hidden={self.hidden} must be a multiple of {unit}: of {NORM_GROUPS} groups and "
                f"of 4 × heads={self.heads}"
            )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not (isinstance(values, tuple) and len(values) == 3 and all(map(_is_real, values))):
                raise InvalidInputError(f"{name}={values!r} must be three numbers, for R, G and B")
        if min(self.std) <= 0:
            raise InvalidInputError(f"std={self.std} must be above 0")
        if not isinstance(self.resize, Resize):
            raise InvalidInputError(f"resize={self.resize!r} must be Resize(shortest=…, longest=…)")

    def with_overrides(self, overrides: dict[str, Any]) -> "ModelConfig":
        """Return a config with some fields replaced. Values may be typed, or as read from JSON.

        Raises:
            InvalidInputError: an unknown field (the message lists all fields), or an unfit value.
        """
        known = [field.name for field in fields(self)]
        unknown = sorted(set(overrides) - set(known))
        if unknown:
            raise InvalidInputError(f"no such ModelConfig field: {unknown}; there are {known}")
        return replace(self, **_from_json(overrides))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; ``from_json`` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelConfig":
        """Return the config that ``to_json`` wrote. Missing fields take their defaults.

        Raises:
            InvalidInputError: an unknown field, no ``name`` or ``backbone``, or an unfit value.
        """
        known = {field.name for field in fields(cls)}
        if not {"name", "backbone"} <= set(values) <= known:
            raise InvalidInputError(f"not a ModelConfig: {sorted(set(values) ^ known)[:8]}")
        return cls(**_from_json(values))


def _from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn JSON lists into tuples and the dictionary of ``resize`` into a ``Resize``."""
    typed = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    resize = typed.get("resize")
    if isinstance(resize, dict):
        if resize.keys() != {"shortest", "longest"}:
            raise InvalidInputError(f"resize={resize} must hold shortest and longest, nothing else")
        typed["resize"] = Resize(**resize)
    return typed


def _check_plain(name: str, kind: Any, value: Any) -> None:
    """Raise ``InvalidInputError`` if a value is of the wrong type, no valid choice or too small."""
    if get_origin(kind) is Literal:
        _check_choice(name, value, get_args(kind))
    if kind in (bool, int, str) and type(value) is not kind:
        raise InvalidInputError(f"{name}={value!r} must be of type {kind.__name__}")
    least = 0 if name in _MAY_BE_ZERO else 1
    if kind is int and value < least:
        raise InvalidInputError(f"{name}={value} must be at least {least}")
    most = _MOST_LAYERS if name.endswith("_layers") else _MOST
    if kind is int and value > most:
        raise InvalidInputError(f"{name}={value} must be at most {most}")


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise InvalidInputError(f"{name}={value!r} is not one of {choices}")


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


LITE = ModelConfig(
    name="lite",
    backbone="efficientnet_lite0",
    hidden=96,
    heads=4,
    mean=(127.5, 127.5, 127.5),  # its start weights were trained with these
    std=(127.5, 127.5, 127.5),
    resize=Resize(480, 640),
    deformable_layers=0,
    encoder_layers=6,
    encoder_feedforward=384,
    decoder_layers=0,  # the refiner gains more (docs/experiments.md)
    decoder_feedforward=192,  # used if a decoder is switched on
    decoder_stride=8,
    static_background_queries=9,
    click_type_embedding=True,
    object_attention=True,
    relative_positions=True,
    refiner_channels=24,
    enforce_clicks=True,
    drop_unclicked_components=True,
    target_crops=True,
)

PUBLISHED: tuple[str, ...] = (
    "swin_tiny",
    "swin_large",
    "resnet50",
    "hrnet32",
    "segformer_b0",
)
"""The paper's networks, named by their backbones; their weights do not ship."""

PRESETS: dict[str, ModelConfig] = {
    name: ModelConfig(name=name, backbone=name) for name in PUBLISHED
} | {"lite": LITE}


def preset(name: str) -> ModelConfig:
    """Return the preset of that name.

    Raises:
        InvalidInputError: there is none; the message lists all presets.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise InvalidInputError(f"no preset {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
