"""The whole way of a call, for tests of what only the routes put together."""

from tests.backend.serving import conftest as serving

make_backend = serving.make_backend
served = serving.backend
