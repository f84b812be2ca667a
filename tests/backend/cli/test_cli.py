import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from backend.cli import SECTIONS, LazyGroup, main
from backend.cli.printing import counted
from backend.label_studio.access import Access, keep
from backend.settings import load
from dynamite.errors import InvalidInputError

ROOT = Path(__file__).parents[3]


def failing(error: Exception) -> LazyGroup:
    group = LazyGroup("probe")

    @click.command()
    def broken() -> None:
        raise error

    group.get_command = lambda ctx, name: broken if name == "broken" else None  # type: ignore[method-assign]
    return group


def test_help_names_every_subcommand_and_imports_none():
    code = (
        "import sys; from click.testing import CliRunner; from backend.cli import main;"
        "out = CliRunner().invoke(main, ['--help']).output; print(out);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'flask', 'redis', 'cv2', 'rich')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for commands in SECTIONS.values():
        for name, text in commands.items():
            assert f"  {name} " in done.stdout
            assert text in done.stdout


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InvalidInputError("the image is 0×7 pixels"), "Error: the image is 0×7 pixels"),
        (FileNotFoundError(2, "No such file or directory", "a.png"), "Error: a.png: No such file"),
        (PermissionError(13, "Permission denied"), "Error: Permission denied"),
        (ModuleNotFoundError("x", name="matplotlib"), "'matplotlib', which is not installed"),
        (ModuleNotFoundError("x", name="scipy"), "pip install -c constraints.txt -e '.[train]'"),
    ],
)
def test_an_error_is_one_sentence_without_a_traceback(error, sentence):
    result = CliRunner().invoke(failing(error), ["broken"])
    assert result.exit_code == 1
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_traceback_is_there_for_who_asks():
    group = failing(InvalidInputError("no"))
    group.params.append(click.Option(["--traceback"], is_flag=True, expose_value=False))
    result = CliRunner().invoke(group, ["--traceback", "broken"])
    assert isinstance(result.exception, InvalidInputError)


def test_interrupt_has_its_own_exit_code():
    assert CliRunner().invoke(failing(click.Abort()), ["broken"]).exit_code == 130


def test_a_wrong_name_is_a_usage_error():
    result = CliRunner().invoke(main, ["nonsense"])
    assert result.exit_code == 2
    assert "nonsense" in result.output


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["srve"], "serve"), (["lable-config"], "label-config"), (["data", "chek"], "check")],
)
def test_a_misspelled_command_is_answered_with_the_one_that_may_be_meant(words, meant):
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output


def test_a_config_that_is_not_there_fails_before_torch_is_loaded():
    code = (
        "import sys; from click.testing import CliRunner; from backend.cli import main;"
        "result = CliRunner().invoke(main, ['train', 'nofile.yaml']);"
        "print(result.output); sys.exit(result.exit_code + 10 * ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "'nofile.yaml' does not exist" in done.stdout


def test_a_setting_is_shown_as_it_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNAMITE_CHECKPOINT", "/models/[red]/:car:.pth")
    assert "/models/[red]/:car:.pth" in CliRunner().invoke(main, ["settings"]).output


def test_an_empty_option_of_serve_names_no_folder(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "backend.launcher.serve.serve", lambda settings, *_, **__: seen.append(settings)
    )
    usual = load()
    for empty in ("--state-dir", "--checkpoint", "--device"):
        result = CliRunner().invoke(main, ["serve", empty, ""], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert seen == [usual] * 3


@pytest.mark.parametrize(
    ("command", "option"),
    [("demo", "--port"), ("demo", "--label-studio-port"), ("serve", "--port")],
)
@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_that_can_be_none_is_refused_by_the_option_that_gave_it(
    command, option, port, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNAMITE_LABEL_STUDIO", str(tmp_path / "nothing"))
    done = CliRunner().invoke(main, [command, option, port])
    assert done.exit_code == 2
    assert f"'{option}'" in done.output
    assert f"{port} is not in the range 1<=x<=65535" in done.output


@pytest.mark.parametrize("group", ["annotations", "data", "models"])
def test_no_line_of_help_is_cut(group):
    result = CliRunner().invoke(main, [group, "--help"], terminal_width=80)
    assert result.exit_code == 0
    assert "..." not in result.output.partition("Commands:")[2]


def test_one_thing_is_counted_as_one():
    assert [counted(n, "project") for n in (0, 1, 2)] == ["0 projects", "1 project", "2 projects"]
    assert [counted(n, "box") for n in (1, 2)] == ["1 box", "2 boxes"]


def test_a_preset_without_weights_wants_its_file():
    result = CliRunner().invoke(main, ["evaluate", "swin_tiny", "--set", "x"])
    assert result.exit_code == 2
    assert "give the file instead" in result.output


def test_a_set_that_is_missing_names_its_path_and_the_option(tmp_path):
    result = CliRunner().invoke(main, ["data", "check", "pets", "--root", str(tmp_path)])
    assert result.exit_code == 1
    assert f"{tmp_path / 'pets' / 'annotations.json'} does not exist" in result.output
    assert "--root" in result.output
    assert "clothing_parts" not in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], "a label is empty"),
        (["Car", " "], "a label is empty"),
        (["Car", "--background", ""], "a label is empty"),
        (["Car", "Car"], "'Car' is given twice"),
        (["Background"], "'Background' is the label of background clicks"),
        (["Car", "--background", "Car"], "'Car' is the label of background clicks"),
    ],
)
def test_labels_that_make_no_config_are_refused(arguments, words):
    result = CliRunner().invoke(main, ["label-config", *arguments])
    assert result.exit_code == 1
    assert words in result.output
    assert "<View>" not in result.output


@pytest.mark.parametrize("labels", [["Car"], ["Background"]])
def test_the_backend_must_know_the_label_of_the_background(monkeypatch, labels):
    arguments = ["label-config", *labels, "--background", "Not this"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "Set DYNAMITE_BACKGROUND_LABELS='Not this'" in result.stderr
    monkeypatch.setenv("DYNAMITE_BACKGROUND_LABELS", "Not this")
    assert CliRunner().invoke(main, arguments).stderr == ""


def test_warm_asks_the_label_studio_that_has_connected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["warm", "--project", "1"]
    assert "there is no record of that in" in CliRunner().invoke(main, asked).output
    (tmp_path / ".state").mkdir()
    keep(Access("http://127.0.0.1:9", "a-legacy-token"), load())
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 1
    assert "Label Studio at http://127.0.0.1:9 cannot be reached" in result.output


def test_an_evaluation_without_a_report_needs_none_of_what_training_installs():
    """`make install` is enough for the first example of `dynamite evaluate --help`."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['matplotlib', 'skimage', 'scipy']));"
        "from click.testing import CliRunner; from backend.cli import main;"
        "words = 'evaluate lite --set training/base_set --limit 1 --budget 1'.split();"
        "result = CliRunner().invoke(main, words); print(result.output); sys.exit(result.exit_code)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 24 images" in done.stdout
