from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.training.tiny_run import write_config, write_data
from training.train import train


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a folder with a config and its data."""
    write_data(tmp_path / "data")
    write_config(tmp_path / "tiny.yaml")
    return tmp_path


def start(folder: Path, *options: str) -> Result:
    data = ["--data", str(folder / "data")]
    out = [] if "--out" in options else ["--out", str(folder / "run")]
    return CliRunner().invoke(train, [str(folder / "tiny.yaml"), *data, *out, *options])


@pytest.mark.parametrize("device", ["foo", "cuda:99"])
def test_a_device_that_is_not_here_is_named(device: str, run: Path) -> None:
    result = start(run, "--device", device)
    assert result.exit_code == 1
    assert f"{device!r} cannot be used here" in result.output


@pytest.mark.parametrize("minutes", ["0", "-1"])
def test_a_run_needs_time(minutes: str, run: Path) -> None:
    result = start(run, f"--max-minutes={minutes}")
    assert result.exit_code == 2
    assert "is not in the range x>0" in result.output


def test_a_run_needs_a_folder(run: Path) -> None:
    result = start(run, "--out", str(run / "tiny.yaml"))
    assert result.exit_code == 2
    assert "is a file" in result.output
