import pytest
import torch

from dynamite import load
from dynamite.checkpoints.checkpoint import read, save
from dynamite.errors import CheckpointError
from tests.training.tiny_run import TINY_MODEL
from training.retraining.blending import TRAINED, blend


def tiny(path, value, **more):
    """A network whose weights all are ``value``."""
    model = load("lite", random_weights=True, **(TINY_MODEL | more))
    with torch.no_grad():
        for weight in model.state_dict().values():
            weight.fill_(value)
    save(model, path, {"licence": f"of {value}"})
    return path


def test_every_weight_is_between_and_nearer_to_what_was_trained(tmp_path):
    start, trained = tiny(tmp_path / "start", 1.0), tiny(tmp_path / "trained", 2.0)
    mixed = read(blend(start, trained, tmp_path / "blended"))
    floating = [w for w in mixed.state_dict.values() if w.is_floating_point()]
    assert all(torch.allclose(w, torch.tensor(1 + TRAINED)) for w in floating)
    counts = [w for w in mixed.state_dict.values() if not w.is_floating_point()]
    assert counts
    assert all((w == 2).all() for w in counts)
    assert mixed.metadata["licence"] == "of 2.0"
    assert mixed.metadata["blended"] == {"with": read(start).version, "trained": TRAINED}
    assert mixed.config == read(trained).config


@pytest.mark.parametrize("channels", [0, 2])
def test_a_part_that_is_built_otherwise_stays_whole_as_it_was_trained(tmp_path, channels):
    start = tiny(tmp_path / "start", 1.0, refiner_channels=channels)
    trained = tiny(tmp_path / "trained", 2.0, refiner_channels=4)
    mixed = read(blend(start, trained, tmp_path / "blended")).state_dict
    refiner = [weight for name, weight in mixed.items() if name.startswith("refiner.")]
    assert refiner
    assert all((weight == 2).all() for weight in refiner)


def test_a_file_that_is_none_is_refused(tmp_path):
    trained = tiny(tmp_path / "trained", 2.0)
    with pytest.raises(CheckpointError, match="nowhere"):
        blend(tmp_path / "nowhere", trained, tmp_path / "blended")
    assert not (tmp_path / "blended").exists()
