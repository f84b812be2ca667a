"""Files of the first format are read for ever; an older release refuses newer ones untouched."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dynamite.errors import InvalidInputError
from dynamite.predict.features import ImageFeatures
from dynamite.registry import Registry, RegistryError

FIRST = Path(__file__).parent / "data" / "formats" / "registry-1"


@pytest.fixture
def registry(tmp_path):
    """A registry as the first release wrote it; its weights are not there."""
    shutil.copytree(FIRST, tmp_path / "models" / "shared")
    return Registry(tmp_path / "models" / "shared")


def test_a_registry_of_the_first_format_is_read(registry):
    entry = registry.current()
    assert (entry.number, entry.version, entry.history) == (2, "lite-0a1b2c3d", ("",))
    version = registry.get("lite-0a1b2c3d")
    assert version.description.metrics == {"nci": 2.5}
    assert version.created == "2026-11-20T10:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("current/000000002.json", lambda registry: registry.current()),
        ("versions/lite-0a1b2c3d/version.json", lambda registry: registry.get("lite-0a1b2c3d")),
    ],
)
@pytest.mark.parametrize("version", [2, "3 beta", None])
def test_a_registry_of_a_newer_format_is_refused_and_kept(registry, name, read, version):
    path = registry.folder / name
    written = json.dumps(json.loads(path.read_text()) | {"format": version, "new": 1})
    path.write_text(written)
    with pytest.raises(RegistryError, match="this release reads up to 1: install") as refused:
        read(registry)
    assert "delete" not in str(refused.value)
    assert str(path) in str(refused.value)
    assert path.read_text() == written


def test_features_of_a_newer_format_are_refused(tmp_path):
    path = tmp_path / "features.safetensors"
    names = ["mask_features", *(f"{kind}.{n}" for kind in ("levels", "pooled") for n in range(3))]
    tensors = {name: torch.ones(1, 2, 3, 4) * n for n, name in enumerate(names)}
    first = {"model_version": "lite-1", "image_size": "8x9", "input_size": "6x7"}
    save_file(tensors, path, first)
    features = ImageFeatures.load(path)
    assert (features.image_size, features.input_size) == ((8, 9), (6, 7))
    assert features.maps.pooled[2].eq(6).all()
    save_file(tensors, path, first | {"format": "2"})
    with pytest.raises(InvalidInputError, match="format version 2, this release reads up to 1"):
        ImageFeatures.load(path)
