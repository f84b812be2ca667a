import os
import shutil
import time

import pytest

from dynamite.files import discard, discard_older, new_folder


def test_a_folder_is_whole_or_gone_even_if_its_removal_is_killed(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "file").touch()

    def kill(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            discard(folder)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".run.")
    with pytest.raises(FileNotFoundError):
        discard(folder)


def test_what_vanishes_meanwhile_keeps_nothing_else_from_going(tmp_path):
    folder, file, used = tmp_path / "folder", tmp_path / "file", tmp_path / "used"
    for one in (folder, used):
        one.mkdir()
        (one / "written").touch()
    file.touch()
    past = time.time() - 10
    for path in (folder / "written", folder, file, used):
        os.utime(path, (past, past))
    assert discard_older([tmp_path / "vanished", folder, file, used], 5) == 2
    assert list(tmp_path.iterdir()) == [used]  # its contents were just written


def test_a_new_folder_is_whole_or_not_there_and_replaces_nothing(tmp_path):
    path = tmp_path / "below" / "new"

    def interrupted():
        with new_folder(path) as draft:
            (draft / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(path.parent.iterdir()) == []
    with new_folder(path) as draft:
        (draft / "whole").touch()
        assert not path.exists()
    assert [one.name for one in path.iterdir()] == ["whole"]
    with pytest.raises(FileExistsError), new_folder(path):
        pass
    with pytest.raises(FileExistsError), new_folder(tmp_path / "late") as draft:
        (tmp_path / "late").mkdir()  # by another process, meanwhile
    assert sorted(one.name for one in tmp_path.iterdir()) == ["below", "late"]
