from collections.abc import Iterator

import pytest
import torch

import dynamite
from dynamite.checkpoints import checkpoint
from dynamite.network.model import DynaMITE
from dynamite.registry import Registry

TINY = {
    "hidden": 32,
    "heads": 2,
    "encoder_layers": 1,
    "encoder_feedforward": 16,
    "decoder_layers": 1,
    "decoder_feedforward": 16,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks are slower on many threads, above all beside other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where the network is (benchmarks/gpu.py)")


@pytest.fixture(scope="session")
def lite(request: pytest.FixtureRequest) -> DynaMITE:
    """The network that ships, with random weights: the tests must hold for any weights."""
    device = request.config.getoption("--device", "cpu")
    return dynamite.load("lite", random_weights=True, device=device)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Four checkpoints of a tiny network, by letter."""
    folder = tmp_path_factory.mktemp("weights")
    model = dynamite.load("lite", random_weights=True, **TINY)
    found = {}
    for letter in "abcd":
        with torch.no_grad():
            next(model.parameters()).add_(1)
        path = folder / f"{letter}.safetensors"
        found[letter] = (path, checkpoint.save(model, path, {}))
    return found


@pytest.fixture
def registry(tmp_path):
    (tmp_path / "models").mkdir()
    return Registry(tmp_path / "models" / "shared")
