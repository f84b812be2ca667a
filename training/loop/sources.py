"""Opens the data sets of a config: training samples and a hold-out part for validation."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from training.config import ConfigError, DataConfig, Stage
from training.config_files import describe
from training.data.augment import AugmentConfig
from training.data.catalog import Subset, open_dataset, split
from training.data.problems import DatasetError, Problems, left_out, why_empty
from training.data.sampling import Mixture
from training.loop.batches import SampleRecipe


@dataclass(frozen=True)
class Sources:
    """The opened sets: the training mixture, and the held-out parts for validation."""

    mixture: Mixture
    held_out: tuple[Subset, ...]
    images: dict[str, int]
    """Number of training images by set."""
    left_out: dict[str, Problems]
    """Problems by set, of the sets opened without their faulty entries."""

    def recipe(self, config: DataConfig, stage: Stage, seed: int) -> SampleRecipe:
        """Return what the samples of a stage are made from."""
        augment = augment_config(config.augment, stage.crop)
        return SampleRecipe(self.mixture, augment, seed, config.stray_clicks, config.click_jitter)


def open_sources(config: DataConfig, root: Path | None) -> Sources:
    """Open the sets of a config below ``root``, or below the config's own root if None.

    Raises:
        ConfigError: a set is listed twice.
        DatasetError: a set is missing, faulty or without objects.
    """
    below = root or (Path(config.root).expanduser() if config.root else None)
    training: dict[str, Subset] = {}
    weights: dict[str, float] = {}
    held_out = []
    faults: dict[str, Problems] = {}
    for source in config.sets:
        dataset = open_dataset(
            source.name, below, licences=source.licences, on_problem=config.on_problem
        )
        if not len(dataset):
            raise DatasetError(why_empty(dataset))
        if len(left_out(dataset)):
            faults[dataset.name] = left_out(dataset)
        part, kept = split(dataset, config.holdout)
        if part.name in training:
            raise ConfigError(f"data.sets: {part.name} is listed twice")
        training[part.name] = part
        weights[part.name] = float(len(part)) if source.weight is None else source.weight
        held_out.append(kept)
    images = {name: len(part) for name, part in training.items()}
    return Sources(Mixture(training, weights), tuple(held_out), images, faults)


def augment_config(values: Mapping[str, Any], size: int) -> AugmentConfig:
    """Read an augmentation config for crops of ``size`` pixels from a mapping.

    Raises:
        ConfigError: a key is unknown or a value invalid.
    """
    if "size" in values:
        raise ConfigError("data.augment.size: the stages give the size, as `crop`")
    _check_keys(AugmentConfig, values, "data.augment")
    try:
        return TypeAdapter(AugmentConfig).validate_python({**values, "size": size})
    except ValidationError as error:
        raise ConfigError(f"data.augment:\n{describe(error)}") from None


def _check_keys(kind: Any, values: Mapping[str, Any], place: str) -> None:
    known = {field.name: field for field in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{place}.{key}: unknown key; known are {', '.join(known)}")
        inner: Any = known[key].default_factory
        if isinstance(value, Mapping) and is_dataclass(inner):
            _check_keys(inner, value, f"{place}.{key}")
