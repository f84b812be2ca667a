"""Helpers for tests of the registry."""

from dynamite.registry import Description


def add(registry, files, *letters):
    return [registry.add(files[x][0], Description(verdict=x)).name for x in letters]


def promote(registry, name, **more):
    return registry.promote(name, holder="test", reason="test", **more)
