"""The options of a training: written once, set by the environment, told to the job."""

import subprocess
import sys

import pytest

from backend.retraining.requesting import job_options
from backend.settings import SettingsError, load, variable
from training.retraining.options import JobOptions, TrainingOptions


def test_every_option_is_a_setting_that_the_job_is_told(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    told = {
        "unchanged_weight": 0.5,
        "train_steps": 7,
        "train_batch": 3,
        "train_crop": 64,
        "train_rate": 0.01,
        "train_base_sets": ("coco", "lvis"),
        "train_base_root": "sets",
        "train_base_ratio": 0.25,
        "train_hosts": "2@first:29500",
        "judge_base_set": "own",
        "judge_least": 3,
        "judge_most": 9,
        "judge_margin": 0.1,
        "judge_tolerance": 0.2,
        "judge_budget": 4,
        "keep_versions": 2,
    }
    assert set(told) == set(TrainingOptions.model_fields)
    for name, value in told.items():
        assert variable(name) == f"DYNAMITE_{name.upper()}"
        text = ", ".join(value) if isinstance(value, tuple) else str(value)
        monkeypatch.setenv(variable(name), text)
    wanted = JobOptions(**told | {"train_base_root": tmp_path / "sets"})
    assert job_options(load()) == wanted
    assert wanted.judge_chance == 0.05


def test_a_bound_holds_for_the_setting_and_for_the_job(monkeypatch):
    monkeypatch.setenv("DYNAMITE_TRAIN_CROP", "100")
    with pytest.raises(SettingsError, match=r"DYNAMITE_TRAIN_CROP is '100':? .*multiple of 32"):
        load()
    with pytest.raises(ValueError, match="multiple of 32"):
        JobOptions(train_crop=100)


def test_the_request_is_light_to_import():
    code = "import sys, training.retraining.request; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "pydantic" in loaded
    assert not {"torch", "numpy", "cv2", "redis", "rq"} & set(loaded)
