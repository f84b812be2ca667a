"""What a training run is, as frozen values read from YAML. An unknown key is an error naming it.

A file may name another as its ``base``: mappings are merged key by key, anything else replaces.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from dynamite.errors import DynamiteError

_STRICT = ConfigDict(extra="forbid")


class ConfigError(DynamiteError, ValueError):
    """A training config cannot be read, or says something that cannot be meant."""


@dataclass(frozen=True, config=_STRICT)
class ModelSource:
    """Which network, and the weights it starts from."""

    preset: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``dynamite.network.config.ModelConfig`` that differ from the preset."""
    backbone_weights: str | None = None
    """A file of backbone weights, or ``package:NAME`` for one that ships in a Python package."""
    checkpoint: str | None = None
    """A whole model of ours to continue from (safetensors); wins over ``backbone_weights``."""


@dataclass(frozen=True, config=_STRICT)
class DataSource:
    """One training set: a catalog name or a folder, and how often it is drawn from."""

    name: str
    weight: float | None = Field(default=None, ge=0)
    """Share of the samples, relative to the other sets; none: its number of images."""


@dataclass(frozen=True, config=_STRICT)
class DataConfig:
    """Where the samples come from."""

    sets: tuple[DataSource, ...]
    root: str | None = None
    """Folder that holds the sets; ``--data`` on the command line wins."""
    holdout: float = Field(default=0.0, ge=0, lt=1)
    """Share of each set kept for validation, chosen by a hash of the sample's id."""
    on_problem: Literal["raise", "skip"] = "raise"
    """What a broken annotation does: stop the run before it begins, or be left out."""
    augment: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``training.data.augment.AugmentConfig``; ``crop`` comes from the stage."""
    stray_clicks: float = Field(default=0.0, ge=0, le=1)
    """Share of the objects whose first click falls anywhere in them; the paper's, always in the
    inner part (docs/network.md, 10), teach nothing of a single click near the border."""
    workers: int = Field(default=0, ge=0)
    """Loader processes; 0 prepares the samples in the training process."""


@dataclass(frozen=True, config=_STRICT)
class Stage:
    """A stretch of training with one crop size. ``batch`` is global: over all processes."""

    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    crop: int = Field(gt=0, multiple_of=32)
    learning_rate: float = Field(gt=0)


@dataclass(frozen=True, config=_STRICT)
class LossConfig:
    """The losses of docs/network.md, 10."""

    points: int = Field(default=12544, gt=0)
    oversample: float = Field(default=3.0, ge=1)
    importance: float = Field(default=0.75, ge=0, le=1)
    near: float = Field(default=0.0, ge=0, le=1)
    """Share of the points that falls around the object: of a small one uniform points tell little,
    16 of 6,144 where it is 20 pixels wide in a crop of 384."""
    margins: bool = False
    """Judge the final maps by their lead over the best other one, which decides whose a pixel is.
    Those before are judged by themselves: queries look where their own logits are above 0."""
    mask_weight: float = 5.0
    dice_weight: float = 5.0
    auxiliary_weight: float = 1.0
    """Of each prediction before the final one, beside 1 for the final one."""


@dataclass(frozen=True, config=_STRICT)
class OptimizerConfig:
    """AdamW and its parameter groups (docs/network.md, 10)."""

    weight_decay: float = Field(default=0.05, ge=0)
    backbone_factor: float = Field(default=0.1, ge=0)
    """Learning rate of the backbone over that of the rest."""
    clip_norm: float = Field(default=0.01, ge=0)
    """Largest norm of the whole gradient; 0 does not clip."""
    freeze: tuple[str, ...] = ()
    """Prefixes of parameter names that are not trained, ``backbone.`` for all of the backbone."""
    freeze_batch_norm: bool = False
    """Use the batch norms' statistics and affine maps as constants."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Of the moving average of the weights, which is what is evaluated and shipped; 0: none."""


@dataclass(frozen=True, config=_STRICT)
class ScheduleConfig:
    """The learning rate over all steps, as a factor of the stage's own."""

    kind: Literal["constant", "step", "cosine", "poly", "trapezoid"] = "step"
    milestones: tuple[int, ...] = ()
    """``step``: where the rate falls to a tenth."""
    warmup_steps: int = Field(default=0, ge=0)
    final_factor: float = Field(default=0.0, ge=0, le=1)
    """``cosine``, ``poly``, ``trapezoid``: the factor at the last step."""
    power: float = Field(default=0.9, gt=0)
    """``poly``: the exponent."""
    decay_share: float = Field(default=0.3, gt=0, le=1)
    """``trapezoid``: the share of the steps, at the end, over which the rate falls linearly."""


@dataclass(frozen=True, config=_STRICT)
class ComputeConfig:
    """How the arithmetic is done; nothing here changes what is learned, but for rounding."""

    amp: Literal["off", "cuda", "always"] = "cuda"
    """bfloat16 autocast: never, on a GPU, or on the CPU too."""
    channels_last: bool = False


@dataclass(frozen=True, config=_STRICT)
class ValidationConfig:
    """MIST on the held-out part; the checkpoint with the fewest clicks per object is kept."""

    every_steps: int = Field(default=0, ge=0)
    """0: never."""
    images: int = Field(default=64, gt=0)
    iou: float = Field(default=0.85, ge=0.8, lt=1)


@dataclass(frozen=True, config=_STRICT)
class LogConfig:
    """What a run writes while it goes on."""

    every_steps: int = Field(default=20, gt=0)
    checkpoint_steps: int = Field(default=500, gt=0)
    pictures_steps: int = Field(default=0, ge=0)
    """Sample predictions as a PNG every so many steps; 0: never."""
    tensorboard: bool = False


@dataclass(frozen=True, config=_STRICT)
class TrainingConfig:
    """One training run, whole."""

    name: str
    model: ModelSource
    data: DataConfig
    stages: tuple[Stage, ...] = Field(min_length=1)
    licence: str | None = None
    """What the weights' file says about its licence."""
    seed: int = Field(default=2091831170, ge=0)
    max_rounds: int = Field(default=3, ge=0)
    """Rounds of corrective clicks before the supervised one, uniform in 0..max
    (docs/network.md, 10)."""
    corrected_images: Literal["all", "first"] = "all"
    """Images of a batch that get them: the reference's code stops at the first, a defect
    (docs/network.md, 10)."""
    supervised_rounds: Literal["last", "all"] = "last"
    """Which predictions have losses: the paper's is the last. An image's features serve all rounds,
    so that "all" trains the clicks' network several times for each encode."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Wall-clock limit of one run of the command; it then writes a checkpoint and stops."""
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    compute: ComputeConfig = ComputeConfig()
    validation: ValidationConfig = ValidationConfig()
    log: LogConfig = LogConfig()

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[Stage, int, int]:
        """The stage of a step (from 0), its first step, and the samples drawn before that one."""
        first = samples = 0
        for stage in self.stages:
            if step < first + stage.steps:
                return stage, first, samples
            first += stage.steps
            samples += stage.steps * stage.batch
        raise ValueError(f"step {step} is beyond the last, {self.total_steps - 1}")

    def with_steps(self, total: int) -> "TrainingConfig":
        """The same run in ``total`` steps: stages, milestones and warm-up keep their shares."""
        if total < len(self.stages):
            raise ConfigError(f"{total} steps are too few for {len(self.stages)} stages")
        scale = total / self.total_steps
        ends = [round(sum(s.steps for s in self.stages[: i + 1]) * scale) for i in self._indices]
        steps = [end - start for start, end in zip([0, *ends], ends, strict=False)]
        if min(steps) < 1:
            raise ConfigError(f"{total} steps leave a stage without any: {steps}")
        schedule = replace(
            self.schedule,
            milestones=tuple(round(m * scale) for m in self.schedule.milestones),
            warmup_steps=round(self.schedule.warmup_steps * scale),
        )
        stages = tuple(replace(s, steps=n) for s, n in zip(self.stages, steps, strict=True))
        return replace(self, stages=stages, schedule=schedule)

    @property
    def _indices(self) -> range:
        return range(len(self.stages))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as ``from_dict`` reads them."""
        return asdict(self)


def from_dict(values: Mapping[str, Any], source: str = "config") -> TrainingConfig:
    """Check plain values.

    Raises:
        ConfigError: names every key that is unknown, missing or of the wrong kind.
    """
    try:
        return TypeAdapter(TrainingConfig).validate_python(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{source} is not a training config:\n{describe(error)}") from None


def describe(error: ValidationError) -> str:
    """A line for each fault: where it is, what is wrong, the value."""
    return "\n".join(
        f"  {'.'.join(map(str, fault['loc'])) or '(top)'}: {_say(fault)}"
        for fault in error.errors(include_url=False)
    )


def load_config(path: Path) -> TrainingConfig:
    """Read a YAML config and the bases it names.

    Raises:
        ConfigError: the file is missing, no YAML mapping, or not a training config.
    """
    return from_dict(_read(path, ()), str(path))


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{path.name} is its own base, through {[p.name for p in seen]}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds {type(values).__name__}, not a mapping of settings")
    base = values.pop("base", None)
    if base is None:
        return values
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base is {base!r}, not the name of a file")
    return _merge(_read(path.parent / base, (*seen, path)), values)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if both and old is not None else value
    return merged


def _say(fault: Any) -> str:
    if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return "unknown key"
    if fault["type"] in ("missing", "missing_argument"):
        return "missing"
    return f"{fault['msg']}, not {fault['input']!r}"
