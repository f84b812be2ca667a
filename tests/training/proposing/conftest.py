"""The drawn images, the network and the store of the tests of project memory."""

from tests.training.memory.conftest import model, one_thread, samples, store

__all__ = ["model", "one_thread", "samples", "store"]
