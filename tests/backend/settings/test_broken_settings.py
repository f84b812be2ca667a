"""Broken settings files and variables: settings, or a sentence that names what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.settings import Settings, SettingsError, load, variable
from tests.hostile import ODD, broken, ends_well, examples

pytestmark = pytest.mark.security

GOOD = b"""port = 9191
threads = 4
host = "127.0.0.1"
known_hosts = ["backend", "proxy.example"]
image_hosts = "a, b:1"
label_studio_url = "http://127.0.0.1:8080"
redis_url = "redis://:secret@127.0.0.1:6379/0"
state_dir = ".state"
cvat_peers = ["127.0.0.0/8"]
background_labels = ","
train_schedule = "0 3 * * *"
"""
TOKENS = (
    b"[" * 3000,
    b"a = [" * 300,
    b"\0",
    b"\xff",
    b"nan",
    b"inf",
    b"1979-05-27T07:32:00Z",
    b"[a]\n",
)


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.delenv("DYNAMITE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def test_files(tmp_path):
    @examples(300)
    @given(broken([GOOD], TOKENS))
    def check(data):
        (tmp_path / "dynamite.toml").write_bytes(data)
        ends_well(load, SettingsError)

    (tmp_path / "dynamite.toml").write_bytes(GOOD)
    assert load().port == 9191
    check()


def test_a_file_that_is_no_text_file_of_ours_to_read(tmp_path):
    (tmp_path / "dynamite.toml").symlink_to("/proc/self/mem")
    with pytest.raises(SettingsError, match="cannot be read"):
        load()


WORDS = [str(odd) for odd in ODD if not isinstance(odd, list) and "\0" not in str(odd)]
WORDS += ["[::1", "a:b:c", "://", "redis://[", "unix://", "1e9", "²", "0x10", "0-1 * * * *", "%"]


@examples(600)
@given(
    st.sampled_from(sorted(Settings.model_fields)), st.sampled_from(WORDS) | st.text(max_size=20)
)
def test_variables(name, word):
    with pytest.MonkeyPatch.context() as patch:
        try:
            patch.setenv(variable(name), word)
        except (ValueError, UnicodeEncodeError):  # the system takes no such variable
            return
        ends_well(load, SettingsError)
