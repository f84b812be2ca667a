"""Reads and writes checkpoints: our own format, and the container of the published networks.

Ours is safetensors. Its metadata holds the network's config, a version that names exactly these
weights, and what the caller adds, for example licence, training data and metrics. Reading executes
nothing from the file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from dynamite.checkpoints.published_file import STARTS, read_published
from dynamite.errors import CheckpointError
from dynamite.files import replacing
from dynamite.network.config import ModelConfig
from dynamite.network.model import DynaMITE

FORMAT = "dynamite-checkpoint"
FORMAT_VERSION = 1
MAX_BYTES = 8 << 30
"""Size of the largest file read: three times a training checkpoint of the largest network."""

DESCRIPTION = ("licence", "training_data", "metrics")
"""Metadata that every checkpoint has; None where the writer gave nothing."""

_RESERVED = ("format", "format_version", "config", "version")


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a file.

    Attributes:
        path: the file.
        kind: "ours", or "published" for the authors' container (docs/network.md, 1).
        state_dict: weights on the CPU, in a published file under the published names.
        config: the network; None for a published file, which does not state it.
        version: names these weights, for example "lite-1a2b3c4d"; None for a published file.
        metadata: JSON values: those of ``DESCRIPTION``, and any others the writer gave.
    """

    path: Path
    kind: Literal["ours", "published"]
    state_dict: dict[str, Tensor]
    config: ModelConfig | None
    version: str | None
    metadata: dict[str, Any]


def weights_version(name: str, state_dict: Mapping[str, Tensor]) -> str:
    """Return ``name`` and 8 hexadecimal digits that change when any weight changes."""
    digest = blake2b(digest_size=4)
    for key, value in sorted(state_dict.items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)} ".encode())
        data = value.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(data.numpy().data)
    return f"{name}-{digest.hexdigest()}"


def save(model: DynaMITE, path: str | Path, metadata: Mapping[str, Any]) -> str:
    """Write a network to ``path`` atomically.

    Args:
        model: the network; its weights keep their dtype.
        path: conventionally ending in ``.safetensors``; its folder must exist.
        metadata: JSON values by name; those of ``DESCRIPTION`` default to None.

    Returns:
        The version of the weights.

    Raises:
        CheckpointError: the metadata is not JSON (NaN is not), weights are not finite, or the file
            cannot be written, for example because the disk is full. An existing file is unchanged.
    """
    path = Path(path)
    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    broken = [key for key, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(f"not saved to {path}: weights are not finite, as in {broken[0]}")
    version = weights_version(model.config.name, weights)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": model.config.to_json(),
        "version": version,
    }
    taken = sorted(set(metadata) & set(header))
    if taken:
        raise CheckpointError(f"not saved to {path}: metadata may not set {taken}")
    described = dict.fromkeys(DESCRIPTION) | dict(metadata) | header
    try:
        strings = {
            key: json.dumps(value, allow_nan=False, ensure_ascii=False)
            for key, value in described.items()
        }
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"not saved to {path}: metadata is not JSON: {error}") from error
    try:
        with replacing(path) as temporary:
            # safetensors would make the file readable only by its owner.
            temporary.write_bytes(to_bytes(_unshared(weights), metadata=strings))
    except (OSError, SafetensorError, ValueError) as error:  # ValueError: a path without a name
        raise CheckpointError(
            f"could not write {path}: {error}; what was there before is untouched"
        ) from error
    return version


def _unshared(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy weights that share memory, which safetensors refuses to write."""
    unshared: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, value in weights.items():
        address = value.untyped_storage().data_ptr()
        unshared[key] = value.clone() if address in seen else value
        seen.add(address)
    return unshared


def read(path: str | Path) -> Checkpoint:
    """Read a checkpoint without executing anything from the file.

    Raises:
        CheckpointError: the file is missing, too large, damaged, made by a newer release, or
            neither our format nor the published container; the message names it.
    """
    try:
        path = Path(path)
    except TypeError:
        raise CheckpointError(
            f"{path!r} is not a path: give the path of a checkpoint file"
        ) from None
    start = _first_bytes(path)
    if start.startswith(STARTS):
        weights = read_published(path)
        return Checkpoint(path, "published", weights, None, None, dict.fromkeys(DESCRIPTION))
    if start[8:9] == b"{":
        return _read_ours(path)
    raise CheckpointError(
        f"{path} is not a checkpoint: neither safetensors nor a file of torch.save"
    )


def _first_bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise CheckpointError(f"{path} {what}: give the path of a checkpoint file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise CheckpointError(f"{path} has {size} bytes, more than the limit of {MAX_BYTES}")
        with path.open("rb") as file:
            return file.read(16)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise CheckpointError(f"cannot read {str(path)!r}: {error}") from error


def _read_ours(path: Path) -> Checkpoint:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            strings = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except Exception as error:  # torch raises anything on absurd shapes
        why = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise CheckpointError(
            f"{path} is a damaged safetensors file ({why}): copy or download it again"
        ) from error
    header = _parse_header(path, strings)
    config = _parse_config(path, header["config"])
    version = weights_version(config.name, weights)
    if version != header["version"]:
        raise CheckpointError(
            f"{path} is damaged: its weights are {version}, its metadata says {header['version']}; "
            "copy or download it again"
        )
    metadata = {key: value for key, value in header.items() if key not in _RESERVED}
    return Checkpoint(path, "ours", weights, config, version, metadata)


def _parse_header(path: Path, strings: Mapping[str, str]) -> dict[str, Any]:
    if strings.get("format") != json.dumps(FORMAT):
        raise CheckpointError(
            f"{path} is a safetensors file, but not of DynaMITE: its metadata does not name a "
            "network"
        )
    try:
        header = {key: json.loads(value, parse_constant=_refuse) for key, value in strings.items()}
        header = dict.fromkeys(DESCRIPTION) | header
        newer = header["format_version"] > FORMAT_VERSION
        {key: header[key] for key in _RESERVED}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} has unusable metadata: {error!r}") from error
    if newer:
        raise CheckpointError(
            f"{path} has format version {header['format_version']}, this release reads up to "
            f"{FORMAT_VERSION}: install a newer one"
        )
    return header


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _parse_config(path: Path, values: Any) -> ModelConfig:
    try:
        return ModelConfig.from_json(values)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise CheckpointError(f"{path} holds a network unknown here: {error}") from error
