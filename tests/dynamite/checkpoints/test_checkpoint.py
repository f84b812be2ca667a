"""Checkpoints: round trips, and refusal of anything else, without executing it."""

import json
import os
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dynamite.checkpoints import checkpoint
from dynamite.checkpoints.conversion import fitting_weights
from dynamite.errors import CheckpointError
from dynamite.network.config import preset
from dynamite.network.model import DynaMITE

pytestmark = pytest.mark.security

DESCRIBED = {
    "licence": "Apache-2.0",
    "training_data": ["COCO train2017", "Cityscapes – Straßen"],
    "metrics": {"NoC@85": 3.25, "curve": [1, 2.5], "checked": True},
}


@pytest.fixture(scope="module")
def model() -> DynaMITE:
    torch.manual_seed(0)
    small = {"deformable_layers": 1, "encoder_layers": 1, "decoder_layers": 1}
    return DynaMITE(preset("lite").with_overrides(small)).eval()


@pytest.fixture
def saved(model: DynaMITE, tmp_path: Path) -> Path:
    path = tmp_path / "lite.safetensors"
    checkpoint.save(model, path, DESCRIBED)
    return path


def test_what_is_saved_is_read(model: DynaMITE, saved: Path) -> None:
    found = checkpoint.read(saved)
    assert found.kind == "ours"
    assert found.config == model.config
    assert found.metadata == DESCRIBED
    assert found.version == checkpoint.weights_version("lite", model.state_dict())
    weights = fitting_weights(found, model)
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())


def test_who_may_read_a_plain_file_may_read_weights(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    assert saved.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_weights_that_share_memory_are_saved(model: DynaMITE, tmp_path: Path) -> None:
    tied = DynaMITE(model.config)
    tied.instance_encoder.layers[0].self_norm = tied.instance_encoder.layers[0].cross_norm
    checkpoint.save(tied, tmp_path / "tied.safetensors", {})
    weights = checkpoint.read(tmp_path / "tied.safetensors").state_dict
    assert all(torch.equal(weights[key], value) for key, value in tied.state_dict().items())


def test_a_path_without_a_name_is_named(model: DynaMITE) -> None:
    with pytest.raises(CheckpointError, match=r"could not write \.: "):
        checkpoint.save(model, ".", {})


def test_the_version_follows_the_weights(model: DynaMITE) -> None:
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    before = checkpoint.weights_version("lite", weights)
    assert checkpoint.weights_version("lite", dict(reversed(weights.items()))) == before
    assert before.startswith("lite-")
    assert len(before) == len("lite-") + 8
    weights["head.norm.bias"][3] = 1e-7
    assert checkpoint.weights_version("lite", weights) != before


def test_other_dtypes_are_kept(model: DynaMITE, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    half = DynaMITE(model.config).bfloat16()
    checkpoint.save(half, path, {})
    found = checkpoint.read(path)
    assert found.state_dict["head.norm.bias"].dtype == torch.bfloat16
    assert found.metadata == {"licence": None, "training_data": None, "metrics": None}


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({"metrics": {"iou": float("nan")}}, "not JSON"),
        ({"metrics": np.float32(1)}, "not JSON"),
        ({"config": {}}, r"may not set \['config'\]"),
    ],
)
def test_unusable_metadata_is_not_saved(
    model: DynaMITE, saved: Path, metadata: dict[str, Any], complaint: str
) -> None:
    before = saved.read_bytes()
    with pytest.raises(CheckpointError, match=complaint):
        checkpoint.save(model, saved, metadata)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_broken_weights_are_not_saved(model: DynaMITE, tmp_path: Path) -> None:
    broken = DynaMITE(model.config)
    with torch.no_grad():
        broken.head.norm.bias[0] = torch.inf
    with pytest.raises(CheckpointError, match=r"not finite, as in head\.norm\.bias"):
        checkpoint.save(broken, tmp_path / "x.safetensors", {})


def test_a_missing_folder_is_an_error(model: DynaMITE, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"could not write .*nowhere"):
        checkpoint.save(model, tmp_path / "nowhere" / "x.safetensors", {})


def test_a_full_disk_leaves_the_old_file(model: DynaMITE, saved: Path) -> None:
    before = saved.read_bytes()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, unlimited[1]))
    try:
        with pytest.raises(CheckpointError, match="what was there before is untouched") as error:
            checkpoint.save(model, saved, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert str(error.value).startswith(f"could not write {saved}: ")
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


# --- what is not a checkpoint --------------------------------------------------------------------


class Bomb:
    """Creates a file when it is unpickled carelessly."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.system, (f"touch {self.target}",)


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        checkpoint.read(path)
    message = str(error.value)
    assert str(path) in message
    return message


@pytest.mark.parametrize("as_archive", [True, False])
@pytest.mark.parametrize("key", ["model", "optimizer"])
def test_a_malicious_pickle_is_not_executed(tmp_path: Path, as_archive: bool, key: str) -> None:
    path, target = tmp_path / "evil.pth", tmp_path / "executed"
    content = {"model": {"weight": torch.ones(1)}} | {key: Bomb(target)}
    torch.save(content, path, _use_new_zipfile_serialization=as_archive)
    message = refusal(path)
    assert "holds more than weights (posix.system). Nothing of it was executed" in message
    assert not target.exists()
    # The test can fail: loaded carelessly, the same file does execute.
    torch.load(path, weights_only=False)
    assert target.exists()


def test_a_bare_pickle_is_not_opened(tmp_path: Path) -> None:
    path, target = tmp_path / "evil.safetensors", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Bomb(target)))
    assert "neither safetensors nor a file of torch.save" in refusal(path)
    assert not target.exists()


@pytest.mark.parametrize("size", [0, 5, 100, 100_000])
def test_random_bytes_are_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "noise.pth"
    path.write_bytes(np.random.default_rng(size).bytes(size))
    assert "is not a checkpoint" in refusal(path)


@pytest.mark.parametrize("kept", [0.001, 0.3, 0.99])
def test_a_truncated_file_is_refused(saved: Path, tmp_path: Path, kept: float) -> None:
    published = tmp_path / "published.pth"
    torch.save({"model": load_file(saved)}, published)
    for path in (saved, published):
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
        assert "damaged" in refusal(path)


def test_a_changed_weight_is_noticed(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-1000] ^= 1
    saved.write_bytes(content)
    assert "is damaged: its weights are lite-" in refusal(saved)


def test_no_file_or_a_folder(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "absent.pth")
    assert "is a folder" in refusal(tmp_path)
    assert "does not exist" in refusal(Path("a\0b"))


def test_an_oversized_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.pth"
    with path.open("wb") as file:
        file.truncate(checkpoint.MAX_BYTES + 1)  # a sparse file
    assert "more than the limit" in refusal(path)


def test_a_compressed_archive_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    assert "compressed archive of 50000000 bytes" in refusal(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"weights": {}}, "no weights under \"model\"; it holds ['weights']"),
        ({"model": {}}, 'no weights under "model"'),
        ({"model": {"a": 3}}, "'a' under \"model\" is no weight"),
        ({"model": {"a": torch.ones(2).to_sparse()}}, "'a' under \"model\" is no weight"),
        ({"model": {"a": torch.ones(2, device="meta")}}, "'a' under \"model\" is no weight"),
        ([1, 2], "it holds <class 'list'>"),
        (torch.ones(3), "it holds <class 'torch.Tensor'>"),
    ],
)
def test_a_container_without_weights(tmp_path: Path, content: Any, complaint: str) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    assert complaint in refusal(path)


@pytest.mark.parametrize("as_archive", [True, False])
def test_a_training_container_is_read(tmp_path: Path, as_archive: bool) -> None:
    path = tmp_path / "model_final.pth"
    content = {
        "model": {"weight": torch.arange(6.0).view(2, 3)},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
        "scheduler": {"base_lrs": [1e-4], "last_epoch": 5},
        "iteration": 184375,
    }
    torch.save(content, path, _use_new_zipfile_serialization=as_archive)
    found = checkpoint.read(path)
    assert found.kind == "published"
    assert found.config is None
    assert found.state_dict.keys() == {"weight"}
    assert torch.equal(found.state_dict["weight"], content["model"]["weight"])


# --- our format, damaged --------------------------------------------------------------------------


def rewrite(path: Path, **changes: str | None) -> None:
    """Change the metadata strings of a file of ours; None removes one."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() | changes
    kept = {key: value for key, value in metadata.items() if value is not None}
    save_file(load_file(path), path, metadata=kept)


def test_safetensors_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.ones(2)}, path)
    assert "not of DynaMITE" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"config": None}, "unusable metadata: KeyError('config')"),
        ({"version": None}, "unusable metadata"),
        ({"metrics": '{"iou": NaN}'}, "NaN is not JSON"),
        ({"metrics": "{"}, "unusable metadata"),
        ({"format_version": "2"}, "format version 2, this release reads up to 1"),
        ({"format_version": '"1"'}, "unusable metadata"),
        ({"config": '{"name": "lite"}'}, "a network unknown here"),
        ({"config": "[]"}, "a network unknown here"),
        ({"config": '{"name": "x", "backbone": "vgg16"}'}, "a network unknown here"),
        (
            {"config": '{"name": "x", "backbone": "resnet50", "heads": 0}'},
            "a network unknown here",
        ),
    ],
)
def test_spoilt_metadata(saved: Path, changes: dict[str, str | None], complaint: str) -> None:
    rewrite(saved, **changes)
    assert complaint in refusal(saved)


def test_weights_of_another_network(saved: Path, model: DynaMITE) -> None:
    found = checkpoint.read(saved)
    deeper = DynaMITE(model.config.with_overrides({"decoder_layers": 2}))
    with pytest.raises(CheckpointError, match=r"(?s)12 missing:.*mask_decoder\.layers\.1"):
        fitting_weights(found, deeper)
    with torch.device("meta"):
        other = DynaMITE(preset("resnet50"))
    with pytest.raises(CheckpointError, match="holds weights of 'lite', but the network is 'resn"):
        fitting_weights(found, other)


def test_the_config_is_stored_as_json(saved: Path, model: DynaMITE) -> None:
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["config"])["backbone"] == "efficientnet_lite0"
    assert json.loads(metadata["training_data"]) == DESCRIBED["training_data"]


def test_a_shape_that_no_tensor_has_is_damage(tmp_path: Path) -> None:
    header = {"x": {"dtype": "F32", "shape": [2**63, 0], "data_offsets": [0, 0]}}
    text = json.dumps(header).encode()
    path = tmp_path / "absurd.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(CheckpointError, match="damaged safetensors file") as caught:
        checkpoint.read(path)
    assert "\n" not in str(caught.value)
