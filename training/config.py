"""The config of a training run as frozen values; ``training.config_files`` reads it from YAML."""

from dataclasses import asdict, replace
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from dynamite.errors import DynamiteError

_STRICT = ConfigDict(extra="forbid")


class ConfigError(DynamiteError, ValueError):
    """A training config cannot be read or has an invalid value."""


@dataclass(frozen=True, config=_STRICT)
class ModelSource:
    """The network and its start weights."""

    preset: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``dynamite.network.config.ModelConfig`` that differ from the preset."""
    backbone_weights: str | None = None
    """A file of backbone weights, or ``package:NAME`` for the one in a Python package."""
    checkpoint: str | None = None
    """A checkpoint of ours to start from (safetensors); wins over ``backbone_weights``."""


@dataclass(frozen=True, config=_STRICT)
class DataSource:
    """One training set: a catalog name or a folder, and how often it is sampled."""

    name: str
    weight: float | None = Field(default=None, ge=0)
    """Share of the samples, relative to the other sets; if None, its number of images."""
    licences: tuple[str, ...] = ()
    """Only the images whose ``license`` in the json begins with one of these; empty: all."""


@dataclass(frozen=True, config=_STRICT)
class DataConfig:
    """The source of the training samples."""

    sets: tuple[DataSource, ...]
    root: str | None = None
    """Folder of the data sets; ``--data`` on the command line wins."""
    holdout: float = Field(default=0.0, ge=0, lt=1)
    """Share of each set held out for validation, chosen by a hash of the sample id."""
    on_problem: Literal["raise", "skip"] = "raise"
    """Whether a faulty annotation stops the run before it begins or is left out."""
    augment: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``training.data.augment.AugmentConfig``; the stage gives the crop size."""
    stray_clicks: float = Field(default=0.0, ge=0, le=1)
    """Share of the objects whose first click falls anywhere in them. The paper's first clicks
    always fall in the inner part (docs/network.md, 10), so none lies near the border."""
    click_jitter: float = Field(default=0.0, ge=0)
    """Standard deviation, in pixels of the crop, of how far a click falls beside the pixel that the
    simulated annotator chose, but never off its object or region."""
    workers: int = Field(default=0, ge=0)
    """Number of loader processes; 0 prepares the samples in the training process."""


@dataclass(frozen=True, config=_STRICT)
class Stage:
    """A number of steps with one crop size; ``batch`` counts the samples of all processes."""

    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    crop: int = Field(gt=0, multiple_of=32)
    learning_rate: float = Field(gt=0)


@dataclass(frozen=True, config=_STRICT)
class LossConfig:
    """The losses of docs/network.md, 10 and the points they are computed at."""

    points: int = Field(default=12544, gt=0)
    """Number of points per map."""
    oversample: float = Field(default=3.0, ge=1)
    """Candidates per point from which the least certain are chosen."""
    importance: float = Field(default=0.75, ge=0, le=1)
    """Share of the points chosen by uncertainty."""
    near: float = Field(default=0.0, ge=0, le=1)
    """Share of the drawn points that falls around the map's object. Few uniform points fall on a
    small one: 16 of 6,144 if it is 20 pixels wide in a crop of 384."""
    margins: bool = False
    """Compute the final loss on each map's margin over the best other map, which decides the label
    of a pixel. Earlier predictions keep their own logits, because a query attends where its own
    logits are above 0."""
    small_objects: float = Field(default=1.0, ge=1)
    """Weight of the losses of objects below 32 pixels a side, the square root of the visible area.
    Above, it falls to 1 at 96 pixels: COCO's small, medium and large objects."""
    mask_weight: float = 5.0
    dice_weight: float = 5.0
    auxiliary_weight: float = 1.0
    """Weight of each prediction before the final one, which has weight 1."""


@dataclass(frozen=True, config=_STRICT)
class OptimizerConfig:
    """AdamW and its parameter groups (docs/network.md, 10)."""

    weight_decay: float = Field(default=0.05, ge=0)
    backbone_factor: float = Field(default=0.1, ge=0)
    """Learning rate of the backbone as a factor of the others'."""
    clip_norm: float = Field(default=0.01, ge=0)
    """Largest norm of the whole gradient; 0 switches clipping off."""
    freeze: tuple[str, ...] = ()
    """Prefixes of the names of frozen parameters, such as ``backbone.``."""
    freeze_batch_norm: bool = False
    """Keep the statistics and the affine parameters of batch norms constant."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Decay of the moving average of the weights, which is then evaluated and exported; 0: none."""


@dataclass(frozen=True, config=_STRICT)
class ScheduleConfig:
    """The learning rate over all steps, as a factor of the stage's rate."""

    kind: Literal["constant", "step", "cosine", "poly", "trapezoid"] = "step"
    milestones: tuple[int, ...] = ()
    """``step``: the steps at which the rate falls to a tenth."""
    warmup_steps: int = Field(default=0, ge=0)
    final_factor: float = Field(default=0.0, ge=0, le=1)
    """``cosine``, ``poly``, ``trapezoid``: the factor at the last step."""
    power: float = Field(default=0.9, gt=0)
    """``poly``: the exponent."""
    decay_share: float = Field(default=0.3, gt=0, le=1)
    """``trapezoid``: share of the steps, at the end, over which the rate falls linearly."""


@dataclass(frozen=True, config=_STRICT)
class ComputeConfig:
    """How the arithmetic is done; this changes the results only by rounding."""

    amp: Literal["off", "cuda", "always"] = "cuda"
    """bfloat16 autocast: never, only on a GPU, or on the CPU too."""
    channels_last: bool = False
    """Store images and weights with the channels last in memory."""


@dataclass(frozen=True, config=_STRICT)
class ValidationConfig:
    """Validation by MIST on the hold-out part; the weights with the lowest NCI are kept."""

    every_steps: int = Field(default=0, ge=0)
    """Steps between validations; 0: never."""
    images: int = Field(default=64, gt=0)
    """Maximum number of images to validate on."""
    iou: float = Field(default=0.85, ge=0.8, lt=1)
    """IoU that an object must reach."""


@dataclass(frozen=True, config=_STRICT)
class LogConfig:
    """What a run writes while it trains."""

    every_steps: int = Field(default=20, gt=0)
    """Steps between lines of metrics."""
    checkpoint_steps: int = Field(default=500, gt=0)
    """Steps between checkpoints."""
    pictures_steps: int = Field(default=0, ge=0)
    """Steps between pictures of predictions; 0: never."""
    tensorboard: bool = False
    """Write the metrics for TensorBoard too."""


@dataclass(frozen=True, config=_STRICT)
class TrainingConfig:
    """The whole config of a training run."""

    name: str
    model: ModelSource
    data: DataConfig
    stages: tuple[Stage, ...] = Field(min_length=1)
    licence: str | None = None
    """The licence written into the weights' file."""
    seed: int = Field(default=2091831170, ge=0)
    max_rounds: int = Field(default=3, ge=0)
    """Maximum rounds of corrective clicks; a step draws from 0…max (docs/network.md, 10)."""
    corrected_images: Literal["all", "first"] = "all"
    """Images of a batch that get corrective clicks. The reference's code stops after the first,
    which is a defect (docs/network.md, 10)."""
    supervised_rounds: Literal["last", "all"] = "last"
    """Rounds whose predictions have losses; the paper uses the last. With ``"all"`` the part of the
    network that sees clicks is trained several times per encoded image."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Time limit of one run of the command, which then writes a checkpoint and stops."""
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    compute: ComputeConfig = ComputeConfig()
    validation: ValidationConfig = ValidationConfig()
    log: LogConfig = LogConfig()

    @property
    def total_steps(self) -> int:
        """Number of steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[Stage, int, int]:
        """Return the stage of a step (from 0), its first step, and the samples drawn before it."""
        first = samples = 0
        for stage in self.stages:
            if step < first + stage.steps:
                return stage, first, samples
            first += stage.steps
            samples += stage.steps * stage.batch
        raise ValueError(f"step {step} is after the last step, {self.total_steps - 1}")

    def with_steps(self, total: int) -> "TrainingConfig":
        """Scale the run to ``total`` steps; stages, milestones and warm-up keep their shares.

        Raises:
            ConfigError: a stage would have no step.
        """
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
        """Return plain values that ``config_files.from_dict`` can read."""
        return asdict(self)
