"""The Makefile's line that creates the environment, run with a fake Python."""

import re
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
TEXT = MAKEFILE.read_text().replace("\\\n\t", "")
VARIABLES = dict(re.findall(r"^(\w+) [:?]?= (.*)$", TEXT, re.MULTILINE))
FIRST_LINE = re.search(r"^\$\(BIN\)/pip:.*\n\t@(.*)$", TEXT, re.MULTILINE)[1]
PYTHON = """#!/bin/sh
echo "$*" >> called
case "$*" in
  "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/pip;;
  *) exec python3 "$@";;
esac
"""


def line(python):
    """Return the line that creates the environment, as the shell receives it."""
    text = FIRST_LINE
    values = VARIABLES | {"PYTHON": python}
    while "$(" in text:
        text = re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], text)
    return text


@pytest.fixture
def make(tmp_path):
    program = tmp_path / "python"
    program.write_text(PYTHON)
    program.chmod(0o700)

    def run(python="./python"):
        command = ["bash", "-c", line(python)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_an_environment_whose_making_was_interrupted_is_made_again_a_whole_one_is_kept(
    make, tmp_path
):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for _ in range(2):
        assert make().returncode == 0
        assert (tmp_path / ".venv" / "bin" / "pip").exists()
    assert (tmp_path / "called").read_text().count("-m venv") == 1


@pytest.mark.parametrize("old", [False, True])
def test_a_python_that_is_missing_or_too_old_gets_a_hint(make, tmp_path, old):
    if old:
        (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    done = make("./python" if old else "python9")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Python 3.11 or newer with venv is needed")
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_what_make_test_leaves_out_has_a_target_that_ci_runs_once():
    left_out = re.search(r'^test:.*\n.* -m "(.*)"$', TEXT, re.MULTILINE)[1]
    steps = (Path(__file__).parents[2] / ".ci" / "run").read_text().splitlines()
    for suite in left_out.removeprefix("not ").split(" and not "):
        assert re.search(rf"^test-{suite}:.*\n.* -m {suite}$", TEXT, re.MULTILINE)
        assert steps.count(f"make test-{suite}") == 1


def dry_run(*arguments):
    """What make would run in a fresh clone."""
    # Under `make test` a make within announces its folder, unless told not to.
    command = ["make", "-n", "--no-print-directory", "VENV=/nowhere/venv", *arguments]
    done = subprocess.run(command, cwd=MAKEFILE.parent, capture_output=True, text=True, check=True)
    return done.stdout.replace("\\\n", " ")


def test_demo_and_serve_install_no_tools_and_tests_do_by_one_pip_command_each():
    for target, installed in {
        "demo": ".",
        "serve": ".",
        "install": ".",
        "test": "'.[dev]'",
    }.items():
        (pip,) = re.findall(r"pip install .* -e (\S+)", dry_run(target))
        assert pip == installed


def test_ports_and_an_installed_label_studio_are_handed_on():
    said = dry_run("demo", "PORT=1", "LABEL_STUDIO_PORT=2", "LABEL_STUDIO=my ls")
    assert "--port 1" in said
    assert "--label-studio-port 2" in said
    assert "--label-studio 'my ls'" in said
    assert dry_run("demo").split()[-2:] == ["/nowhere/venv/bin/dynamite", "demo"]
    assert dry_run("serve", "PORT=1").endswith("dynamite serve --port 1\n")
