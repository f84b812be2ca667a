"""What a network is made of: ``ModelConfig`` and the presets by name (MODEL_SPEC 11)."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin

from dynamite.errors import InvalidInputError

BackboneName = Literal[
    "swin_tiny", "swin_large", "resnet50", "hrnet32", "segformer_b0", "efficientnet_lite0"
]
ClickEncoding = Literal["spatio_temporal", "spatial", "temporal", "none"]

IMAGENET_MEAN = (123.675, 116.280, 103.530)
IMAGENET_STD = (58.395, 57.120, 57.375)


GROUPS = 32
"""Of the pixel decoder's group norms (MODEL_SPEC 4)."""

_MAY_BE_ZERO = (
    "deformable_layers",
    "encoder_layers",
    "decoder_layers",
    "static_background_queries",
    "refiner_channels",
)


@dataclass(frozen=True, slots=True)
class Resize:
    """Input size: the shorter edge in pixels, unless the longer one would pass ``longest``."""

    shortest: int
    longest: int

    def __post_init__(self) -> None:
        if not all(type(edge) is int and edge > 0 for edge in (self.shortest, self.longest)):
            raise InvalidInputError(f"{self} must have edges of whole pixels, at least 1")

    def scale(self, height: int, width: int) -> float:
        """Factor from a ``height`` × ``width`` image to the input of the network."""
        return min(self.shortest / min(height, width), self.longest / max(height, width))


PAPER_RESIZE = Resize(800, 1333)
"""What the published models are evaluated with (MODEL_SPEC 10.1)."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A network. The defaults are those shared by all published models (MODEL_SPEC 11).

    ``decoder_layers=0``, ``static_background_queries=0`` and ``click_encoding`` are the paper's
    ablations. The fields under "ours" are off in the published presets.
    """

    name: str
    backbone: BackboneName
    hidden: int = 256
    heads: int = 8
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    resize: Resize = PAPER_RESIZE
    """What ``Predictor`` brings images to when it is not told otherwise."""

    deformable_layers: int = 6
    deformable_feedforward: int = 1024
    encoder_layers: int = 9
    encoder_feedforward: int = 2048
    decoder_layers: int = 5
    decoder_feedforward: int = 512
    static_background_queries: int = 9
    click_encoding: ClickEncoding = "spatio_temporal"

    # Ours: what the reference lacks (MODEL_SPEC 5.3) and what a CPU needs.
    click_type_embedding: bool = False
    """Queries know whether they are clicks on an object or on the background."""
    object_attention: bool = False
    """Self-attention knows which queries belong to the same object."""
    relative_positions: bool = False
    """Masks may fall off with the distance from their click."""
    decoder_stride: Literal[4, 8] = 4
    """At 8 the decoder works on a quarter of the tokens and its change is added at stride 4."""
    refiner_channels: int = 0
    """Width of the convolutions that look at each object and its clicks again; 0 for none."""
    obey_clicks: bool = False
    """The pixels around a click go to whom it was made for; ``Predictor`` hears one that is made
    again once."""
    drop_stray_parts: bool = False
    """``Predictor`` gives parts of a mask without a click to the background."""
    zoom_in: bool = False
    """``Predictor`` looks again, at a crop, where an object is small."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_plain(field.name, field.type, getattr(self, field.name))
        unit = math.lcm(GROUPS, 4 * self.heads)
        if self.hidden % unit:
            raise InvalidInputError(
                f"hidden={self.hidden} must be a multiple of {unit}: of {GROUPS} groups and of "
                f"4 × heads={self.heads}"
            )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not (isinstance(values, tuple) and len(values) == 3 and all(map(_is_real, values))):
                raise InvalidInputError(f"{name}={values!r} must be three numbers, for R, G and B")
        if min(self.std) <= 0:
            raise InvalidInputError(f"std={self.std} must be above 0")
        if not isinstance(self.resize, Resize):
            raise InvalidInputError(f"resize={self.resize!r} must be Resize(shortest=…, longest=…)")

    def with_overrides(self, overrides: dict[str, Any]) -> "ModelConfig":
        """The same config with some fields changed, given as they are or as JSON holds them.

        Raises:
            InvalidInputError: an unknown field, listing all that there are, or an unfit value.
        """
        known = [field.name for field in fields(self)]
        unknown = sorted(set(overrides) - set(known))
        if unknown:
            raise InvalidInputError(f"no such ModelConfig field: {unknown}; there are {known}")
        return replace(self, **_from_json(overrides))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelConfig":
        """The config that ``to_json`` wrote.

        Files of 2026 may say that ``resize`` is null, where the paper's was meant.
        """
        known = {field.name for field in fields(cls)}
        if not {"name", "backbone"} <= set(values) <= known:
            raise InvalidInputError(f"not a ModelConfig: {sorted(set(values) ^ known)[:8]}")
        typed = _from_json(values)
        if typed.get("resize", PAPER_RESIZE) is None:
            del typed["resize"]
        return cls(**typed)


def _from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of fields with tuples and ``Resize`` for what JSON has lists and dictionaries for."""
    typed = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    resize = typed.get("resize")
    if isinstance(resize, dict):
        if resize.keys() != {"shortest", "longest"}:
            raise InvalidInputError(f"resize={resize} must say shortest and longest, nothing else")
        typed["resize"] = Resize(**resize)
    return typed


def _check_plain(name: str, kind: Any, value: Any) -> None:
    """Raise ``InvalidInputError`` if the value is not of its kind, or a number too small."""
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if choices and value not in choices:
        raise InvalidInputError(f"{name}={value!r} is not one of {choices}")
    if kind in (bool, int, str) and type(value) is not kind:
        raise InvalidInputError(f"{name}={value!r} must be of type {kind.__name__}")
    least = 0 if name in _MAY_BE_ZERO else 1
    if kind is int and value < least:
        raise InvalidInputError(f"{name}={value} must be at least {least}")


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


LITE = ModelConfig(
    name="lite",
    backbone="efficientnet_lite0",
    hidden=96,
    heads=4,
    mean=(127.5, 127.5, 127.5),  # what its start weights were trained with
    std=(127.5, 127.5, 127.5),
    resize=Resize(480, 640),
    deformable_layers=0,
    encoder_layers=6,
    encoder_feedforward=384,
    decoder_layers=0,  # the refiner mends more (docs/experiments.md)
    decoder_feedforward=192,  # of a decoder that is asked for
    decoder_stride=8,
    static_background_queries=9,
    click_type_embedding=True,
    object_attention=True,
    relative_positions=True,
    refiner_channels=24,
    obey_clicks=True,
    drop_stray_parts=True,
)

PUBLISHED: tuple[BackboneName, ...] = (
    "swin_tiny",
    "swin_large",
    "resnet50",
    "hrnet32",
    "segformer_b0",
)
"""The paper's networks; their weights do not ship."""

PRESETS: dict[str, ModelConfig] = {
    name: ModelConfig(name=name, backbone=name) for name in PUBLISHED
} | {"lite": LITE}


def preset(name: str) -> ModelConfig:
    """The preset of that name; an unknown one is an error that lists them."""
    if not isinstance(name, str) or name not in PRESETS:
        raise InvalidInputError(f"no preset {name!r}: there are {', '.join(PRESETS)}")
    return PRESETS[name]
