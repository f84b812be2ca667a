"""The options of a retraining: names, defaults, bounds and meanings, written once.

The backend's settings inherit them, so a field's name is also that of its environment variable:
``train_steps`` is DYNAMITE_TRAIN_STEPS. Imports pydantic only.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class TrainingOptions(BaseModel):
    """What the settings say about a retraining. Shares are of the current model's figures."""

    unchanged_weight: float = Field(
        0.25, ge=0, le=1, description="weight of images whose masks were accepted unchanged"
    )
    train_steps: int = Field(2000, ge=1, description="steps of one training")
    train_batch: int = Field(
        1, ge=1, description="images of one step, over all processes; at least one for each"
    )
    train_crop: int = Field(512, ge=32, multiple_of=32, description="size of a crop, pixels")
    train_rate: float = Field(3e-4, gt=0, description="learning rate")
    train_base_sets: tuple[str, ...] = Field(
        (), description="data sets mixed in against forgetting: names or folders"
    )
    train_base_root: Path | None = Field(None, description="folder of those data sets")
    train_base_ratio: float = Field(
        0.5, ge=0, lt=1, description="share of the samples drawn from the base sets"
    )
    train_hosts: str = Field(
        "", description="torchrun's --nnodes and --rdzv-endpoint for several hosts: 2@host:29500"
    )
    judge_base_set: str = Field(
        "", description="data set that forgetting is measured on; empty: the small one that ships"
    )
    judge_least: int = Field(8, ge=2, description="fewest held-out images that can decide")
    judge_most: int = Field(60, ge=2, description="most images of each set that are judged")
    judge_margin: float = Field(
        0.02, ge=0, description="publish only if clicks on held-out images fall by this share"
    )
    judge_tolerance: float = Field(
        0.03, ge=0, description="and NCI on the base set rises by no more than this share"
    )
    judge_budget: int = Field(10, ge=1, description="clicks per object before giving up")
    keep_versions: int = Field(5, ge=1, description="model versions kept beside current and parent")


class JobOptions(TrainingOptions):
    """Everything a training job is told: the settings, and what cannot be set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge_minutes: float = Field(
        15.0, description="no image is begun after this time, once judge_least are done, minutes"
    )
    judge_chance: float = Field(
        0.05, description="largest probability, of the paired test, that the gain is luck"
    )
