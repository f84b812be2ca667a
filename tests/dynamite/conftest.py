from collections.abc import Iterator

import pytest
import torch

import dynamite
from dynamite.model import DynaMITE


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks are slower on many threads, most of all where other tests run beside them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def lite() -> DynaMITE:
    """The network that ships, with random weights: what holds for it holds for any weights."""
    return dynamite.load("lite", random_weights=True)
