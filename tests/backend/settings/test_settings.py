import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli import main
from backend.fetch.hosts import AllowedHosts
from backend.settings import Settings, SettingsError, load, typo_warnings, variable
from backend.settings.table import rows


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.delenv("DYNAMITE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def test_environment_beats_file_beats_default(monkeypatch, tmp_path):
    (tmp_path / "dynamite.toml").write_text('port = 9191\nthreads = 4\nimage_hosts = ["a", "b:1"]')
    monkeypatch.setenv("DYNAMITE_PORT", "9292")
    settings = load()
    assert (settings.port, settings.threads, settings.preset) == (9292, 4, "lite")
    assert settings.image_hosts == ("a", "b:1")
    assert load(port=9393).port == 9393
    assert load(port=None).port == 9292
    sources = {row.name: row.source for row in rows(settings)}
    assert sources["DYNAMITE_PORT"] == "environment"
    assert sources["DYNAMITE_THREADS"] == "file"
    assert sources["DYNAMITE_PRESET"] == "default"


@pytest.mark.parametrize("place", ["environment", "file", "command line"])
def test_an_empty_value_is_none(monkeypatch, tmp_path, place):
    unset = load()
    names = list(Settings.model_fields)
    given = dict.fromkeys(names, "")
    if place == "environment":
        for name in names:
            monkeypatch.setenv(variable(name), "")
    elif place == "file":
        (tmp_path / "dynamite.toml").write_text("".join(f'{name} = ""\n' for name in names))
    assert load(**(given if place == "command line" else {})) == unset
    assert {row.source for row in rows(unset)} == {"default"}


def test_an_empty_variable_leaves_a_setting_to_the_file(monkeypatch, tmp_path):
    (tmp_path / "dynamite.toml").write_text('models_dir = "/models"\nbackground_labels = ["Sky"]')
    monkeypatch.setenv("DYNAMITE_MODELS_DIR", "")
    assert load().models_dir == Path("/models")
    assert {row.source for row in rows(load()) if row.value == "/models"} == {"file"}
    monkeypatch.setenv("DYNAMITE_BACKGROUND_LABELS", ",")
    assert load().background_labels == ()


def test_the_names_of_the_ecosystem_carry_no_prefix(monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://localhost:8080")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret-token")
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@localhost/0")
    settings = load()
    assert str(settings.label_studio_url) == "http://localhost:8080/"
    assert settings.label_studio_api_key.get_secret_value() == "secret-token"
    assert settings.queue_url == "redis://:hidden@localhost/0"


@pytest.mark.security
def test_no_secret_is_ever_shown(monkeypatch):
    secrets = {
        "LABEL_STUDIO_API_KEY": "s3cret-a",
        "REDIS_URL": "redis://:s3cret-b@h/0",
        "DYNAMITE_BASIC_AUTH_USER": "user",
        "DYNAMITE_BASIC_AUTH_PASSWORD": "s3cret-c",
        "DYNAMITE_WEBHOOK_SECRET": "s3cret-dddddddd",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    output = CliRunner().invoke(main, ["settings"]).output
    assert "LABEL_STUDIO_API_KEY" in output
    assert "s3cret" not in output
    assert "s3cret" not in repr({row.name: row.value for row in rows(load())})
    monkeypatch.setenv("DYNAMITE_WEBHOOK_SECRET", "s3cret")  # too short: an error, without it
    output = CliRunner().invoke(main, ["settings"]).output
    assert "DYNAMITE_WEBHOOK_SECRET" in output
    assert "s3cret" not in output


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DYNAMITE_PORT", "99999", "DYNAMITE_PORT is '99999'"),
        ("DYNAMITE_HOST", "http://0.0.0.0", "without scheme"),
        ("DYNAMITE_HOST", "0.0.0.0:9090", "without scheme, port"),
        ("DYNAMITE_HOST", "*", "DYNAMITE_HOST is .* wildcard"),
        ("DYNAMITE_IMAGE_HOSTS", "a.example, *.b.example", "DYNAMITE_IMAGE_HOSTS is .* wildcard"),
        ("DYNAMITE_IMAGE_HOSTS", "bücher.example:81", "write it as xn--bcher-kva.example"),
        ("DYNAMITE_IMAGE_HOSTS", "a.example:65536", "port '65536'"),
        ("DYNAMITE_IMAGE_HOSTS", "a.example:", "port ''"),
        ("DYNAMITE_IMAGE_HOSTS", "[::1", "host name or address"),
        ("DYNAMITE_IMAGE_HOSTS", "10.0.0.0/8", "host or host:port"),
        ("DYNAMITE_IMAGE_HOSTS", "10.0.0", "four decimal numbers"),
        ("DYNAMITE_IMAGE_HOSTS", "a.example?x", "host or host:port"),
        ("DYNAMITE_IMAGE_HOSTS", ".example", "host name or address"),
        ("DYNAMITE_KNOWN_HOSTS", "bücher.example", "xn--bcher-kva.example"),
        ("LABEL_STUDIO_URL", "http://*.example", "LABEL_STUDIO_URL is .* wildcard"),
        ("DYNAMITE_IMAGE_HOSTS", "http://a", "host or host:port"),
        ("LABEL_STUDIO_URL", "ftp://a", "LABEL_STUDIO_URL is 'ftp://a'"),
        ("DYNAMITE_BASIC_AUTH_USER", "only", "or neither"),
        ("DYNAMITE_TRAIN_SCHEDULE", "every day", "DYNAMITE_TRAIN_SCHEDULE is 'every day'.*0 2"),
        ("DYNAMITE_LINES", "a=x", "DYNAMITE_LINES: 'a=x' is not like"),
        ("DYNAMITE_EXHAUSTIVE_PROJECTS", "x", "DYNAMITE_EXHAUSTIVE_PROJECTS is 'x'"),
        ("DYNAMITE_CONFIG", "/no/such.toml", "/no/such.toml, which is not a file"),
    ],
)
def test_a_bad_value_names_its_variable(monkeypatch, name, value, says):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=says.replace("(", r"\(")):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DYNAMITE_HOST", "who:s3cret-e@a.example"),
        ("DYNAMITE_IMAGE_HOSTS", "who:s3cret-e@a.example"),
        ("DYNAMITE_KNOWN_HOSTS", "who:s3cret-e@a.example"),
        ("LABEL_STUDIO_URL", "http://who:s3cret-e@a.example"),
        ("LABEL_STUDIO_URL", "http://who:s3cret-e@a.example:99999"),
    ],
)
def test_a_host_with_a_password_is_refused_by_its_setting_and_not_shown(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as refused:
        load()
    assert "s3cret" not in str(refused.value)


def test_hosts_that_can_work_are_taken_as_they_are():
    hosts = ("a.example", "A.example.:81", "h_x", "10.0.0.1:82", "::1", "[::1]", "[fe80::1]:83")
    assert load(image_hosts=",".join(hosts)).image_hosts == hosts
    AllowedHosts(None, hosts)
    for host in ("0.0.0.0", "::", "[::1]", "localhost", "backend"):
        assert load(host=host).host == host
    assert load(known_hosts="Backend.Example.").known_hosts == ("backend.example",)


@pytest.mark.parametrize("odd", ["", "/s3cret", "?s3cret", "#s3cret", "+s3cret", "%41s3cret"])
def test_a_webhook_secret_that_an_address_would_change_is_refused_unseen(odd):
    with pytest.raises(SettingsError, match=r"^DYNAMITE_WEBHOOK_SECRET must .*openssl") as refused:
        load(webhook_secret="s3cret" + odd)
    assert "s3cret" not in str(refused.value)
    assert load(webhook_secret="A.long_secret~word-9").webhook_secret is not None


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "redis://host?bogus=1",
        "redis://user:12?s3cret@queue:6379/0",
        "http://queue:6379/0",
        "redis://",
        "redis://queue:port/0",
        "redis://queue:99999",
        "redis://queue:6379/0?db=first",
        "redis://:s3cret/s3cret@queue:6379/0",
        "redis://:123/s3cret@queue:6379/0",
        "redis://user:123#s3cret@queue:6379/0",
        "unix://run/queue.sock",
        "unix://",
    ],
)
def test_an_address_that_is_no_queues_is_refused_and_no_password_shown(url):
    with pytest.raises(SettingsError, match=r"^REDIS_URL must be like redis://") as refused:
        load(redis_url=url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://queue",
        "rediss://user:a%2Fb@queue:6380/1?socket_timeout=5",
        "redis://[::1]:6379",
        "unix:///run/queue.sock?db=1",
        "unix://:a-secret@/run/queue.sock",
    ],
)
def test_addresses_of_queues_are_taken_as_they_are(url):
    assert load(redis_url=url).queue_url == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", "prot is not a setting; did you mean port"),
        ("nonsense = 1", "nonsense is not a setting; `dynamite settings`"),
        ("DYNAMITE_PORT = 3", "DYNAMITE_PORT is not a setting: write port, without the prefix"),
        ("port = = 1", "cannot be read"),
        ("port = 'caf\xe9'", "cannot be read"),
    ],
)
def test_a_slip_in_the_file_is_an_error_that_names_the_file(tmp_path, text, says):
    (tmp_path / "dynamite.toml").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match=rf"^dynamite\.toml:? {says}"):
        load()


def test_a_variable_that_is_no_setting_is_told_and_no_error(monkeypatch):
    monkeypatch.setenv("DYNAMITE_PORTT", "5")
    monkeypatch.setenv("DYNAMITE_REDIS_URL", "redis://queue")
    monkeypatch.setenv("DYNAMITE_CONFIG", "")
    monkeypatch.setenv("DYNAMITE_LABEL_STUDIO", "/usr/bin/label-studio")
    monkeypatch.setenv("dynamite_threads", "4")
    said = [
        "DYNAMITE_PORTT is not a setting; did you mean DYNAMITE_PORT?",
        "DYNAMITE_REDIS_URL is not a setting; did you mean REDIS_URL?",
    ]
    assert typo_warnings() == said
    result = CliRunner().invoke(main, ["settings"])
    assert result.exit_code == 0
    assert f"Warning: {said[0]}" in result.output


def test_levels_of_the_log_are_taken_in_any_case():
    assert load(log_level="DEBUG").log_level == "debug"


def test_the_table_begins_with_what_is_set_first_and_writes_as_the_file_does():
    table = rows(load())
    assert [row.name for row in table[:2]] == ["DYNAMITE_HOST", "DYNAMITE_PORT"]
    shown = {row.name: row for row in table}
    assert shown["DYNAMITE_TRUST_SETUP"].value == "true"
    assert shown["DYNAMITE_TRAIN_SCHEDULE"].value == shown["DYNAMITE_CHECKPOINT"].value == "—"
    assert "swin_tiny" in shown["DYNAMITE_PRESET"].meaning


def test_every_setting_says_what_it_means():
    assert all(row.meaning for row in rows(load()))


@pytest.mark.parametrize("folder", ["short", "long/" * 40])
def test_the_socket_path_fits_what_the_system_allows(tmp_path, folder):
    path = load(state_dir=tmp_path / folder).socket_path
    assert len(bytes(path)) <= 107
    assert path == load(state_dir=tmp_path / folder).socket_path
    assert path != load(state_dir=Path(tmp_path / folder / "other")).socket_path


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """The folder of this user's long sockets, in a place where all users can write."""
    monkeypatch.setattr("backend.settings.settings.SHARED", tmp_path)
    return tmp_path / f"dynamite-{os.geteuid()}"


@pytest.mark.security
def test_the_folder_of_a_long_socket_is_made_for_this_user_alone(tmp_path, shared):
    settings = load(state_dir=tmp_path / ("long/" * 40))
    assert settings.socket_path.parent == shared
    assert stat.S_IMODE(shared.stat().st_mode) == 0o700
    assert settings.queue_url.startswith(f"unix://{shared}/")  # it is ours, so it is used again


def open_to_all(folder):
    folder.mkdir()
    folder.chmod(0o755)


def a_link(folder):
    folder.with_name("elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.with_name("elsewhere"))


@pytest.mark.security
@pytest.mark.parametrize("make", [open_to_all, a_link, Path.touch])
def test_the_folder_of_a_long_socket_is_refused_unless_it_is_ours_alone(tmp_path, shared, make):
    """Another user who made it first could put a queue server there, and with it any job."""
    make(shared)
    with pytest.raises(SettingsError, match="set DYNAMITE_STATE_DIR to a shorter path"):
        _ = load(state_dir=tmp_path / ("long/" * 40)).queue_url


@pytest.mark.security
def test_the_folder_of_a_long_socket_is_refused_if_it_is_another_users(
    tmp_path, shared, monkeypatch
):
    shared.mkdir(mode=0o700)
    other = shared.with_name(f"dynamite-{os.geteuid() + 1}")
    shared.rename(other)
    monkeypatch.setattr("os.geteuid", lambda: other.stat().st_uid + 1)
    with pytest.raises(SettingsError, match=f"of user {other.stat().st_uid}"):
        _ = load(state_dir=tmp_path / ("long/" * 40)).queue_url


def test_loopback_is_recognized():
    assert load().is_loopback
    assert load(host="::1").is_loopback
    assert not load(host="0.0.0.0").is_loopback
