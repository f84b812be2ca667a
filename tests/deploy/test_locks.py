"""The locks that images are built from, against the versions that are tested."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CUDA = re.compile(r"torch$|triton|nvidia|cuda")


def locked(name: str) -> dict[str, tuple[str, int]]:
    """The version of each distribution, and how many files of it are allowed."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
    found = {}
    for entry in entries:
        distribution, version = re.match(r"([\w.-]+)==(\S+)", entry).groups()
        found[canonicalize_name(distribution)] = (
            version,
            len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)),
        )
    return found


ALL_BUT_TORCH, TORCH = locked("requirements.lock"), locked("requirements-cuda.lock")
CPU = locked("requirements-cpu.lock")
BOTH = ALL_BUT_TORCH | TORCH


def test_every_distribution_has_hashes():
    assert all(count for _, count in [*BOTH.values(), *CPU.values()])


def test_the_cpu_build_is_of_the_same_release():
    version, _ = TORCH["torch"]
    assert {name: found for name, (found, _) in CPU.items()} == {"torch": f"{version}+cpu"}


def test_the_versions_are_those_that_are_tested():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if "==" in line]
    tested = {canonicalize_name(name): version for name, version in pairs}
    differ = {name: found for name, (found, _) in BOTH.items() if tested.get(name, found) != found}
    assert not differ, "run `make lock`"


def test_all_that_ships_is_locked_in_a_version_that_it_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for wanted in map(Requirement, project["dependencies"]):
        version, _ = BOTH[canonicalize_name(wanted.name)]
        assert version in wanted.specifier, wanted


def test_what_only_cuda_needs_is_apart():
    assert not [name for name in ALL_BUT_TORCH if CUDA.match(name)]
    assert "torch" in TORCH
    assert all(CUDA.match(name) for name in TORCH)
