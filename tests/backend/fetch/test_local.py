"""Reading below one folder, and attempts to leave it."""

import os
from pathlib import Path

import pytest

from backend import errors
from backend.fetch.local import read_below

pytestmark = pytest.mark.security


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.png").write_bytes(b"secret")
    root = tmp_path / "files"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "c d+ü%20.png").write_bytes(b"picture")
    (root / "top.png").write_bytes(b"top")
    return root


def test_files_below_the_folder_are_read(root: Path) -> None:
    assert read_below(root, "top.png", 100) == b"top"
    assert read_below(root, "a/b/c d+ü%20.png", 100) == b"picture"
    assert read_below(root, "./a//b/./c d+ü%20.png", 100) == b"picture"


@pytest.mark.parametrize(
    "path",
    [
        "none.png",
        "a/none/x.png",
        "top.png/x",
        "%2e%2e/secret.png",
        "x" * 5000,
        "a/" + "x" * 300,
        "top.png/" + "a/" * 5000,
    ],
)
def test_what_is_not_there_is_not_an_error(root: Path, path: str) -> None:
    assert read_below(root, path, 100) is None


@pytest.mark.parametrize(
    "path",
    [
        "../secret.png",
        "a/../../secret.png",
        "a/b/../../../secret.png",
        "..",
        "/etc/passwd",
        "//etc/passwd",
        "..\\secret.png",
        "C:\\secret.png",
        "top.png\0.jpg",
        "\0",
        "",
        ".",
        "/",
    ],
)
def test_ways_out_are_refused(root: Path, path: str) -> None:
    with pytest.raises(errors.ImageRefusedError):
        read_below(root, path, 100)


def test_links_are_not_followed(root: Path) -> None:
    (root / "file.png").symlink_to(root.parent / "secret.png")
    (root / "folder").symlink_to(root.parent)
    (root / "a" / "inside.png").symlink_to(root / "top.png")
    (root / "gone.png").symlink_to(root / "nothing")
    for path in ("file.png", "folder/secret.png", "a/inside.png", "gone.png", "folder/none.png"):
        with pytest.raises(errors.ImageRefusedError, match="symbolic link"):
            read_below(root, path, 100)


def test_the_folder_itself_may_be_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert read_below(link, "top.png", 100) == b"top"


def test_only_files_are_read(root: Path) -> None:
    os.mkfifo(root / "pipe")
    for path in ("pipe", "a"):
        with pytest.raises(errors.ImageRefusedError, match="not a file"):
            read_below(root, path, 100)


def test_too_many_bytes(root: Path) -> None:
    assert read_below(root, "top.png", 3) == b"top"
    with pytest.raises(errors.ImageTooLargeError, match="2 bytes"):
        read_below(root, "top.png", 2)


def test_no_descriptor_stays_open(root: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    (root / "link").symlink_to(root)
    before = open_files()
    for path in ("top.png", "a/b/none", "link/top.png", "a"):
        try:
            read_below(root, path, 100)
        except errors.ImageError:
            continue
    assert open_files() == before
