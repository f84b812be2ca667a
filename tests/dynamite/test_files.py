import shutil

import pytest

from dynamite.files import discard


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
