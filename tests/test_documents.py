"""What the documents promise is there: code that runs, links that lead somewhere, commands."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli import main

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "deploy/*.md", "dynamite/weights/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
FIRST = re.compile(r"^\.venv/bin/dynamite (segment .*)$", re.MULTILINE)
PART = re.compile(r" *[\d.,]*\d")
COMMAND = re.compile(r"(?:^|`|/)dynamite ([a-z][a-z-]+)", re.MULTILINE)


def test_the_code_of_the_readme_runs() -> None:
    (code,) = CODE.findall((ROOT / "README.md").read_text())
    names = {"image": np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)}
    exec(code, names)
    result = names["result"]
    assert result.label_map.shape == (120, 200)
    assert len(result.masks) == len(result.scores) == 2


@pytest.mark.slow
def test_the_first_command_of_the_readme_says_what_is_printed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "README.md").read_text()
    (command,) = FIRST.findall(text)
    (tmp_path / "backend").symlink_to(ROOT / "backend")
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(main, shlex.split(command), catch_exceptions=False).output
    (wanted,) = re.findall(r"```\n(masks\.png: .*?)```", text, re.DOTALL)
    assert PART.sub("#", printed) == PART.sub("#", wanted)
    numbers = [[float(one.replace(",", "")) for one in PART.findall(x)] for x in (printed, wanted)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.05)  # another CPU rounds otherwise


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    targets = [link for link in LINK.findall(path.read_text()) if "://" not in link]
    assert [link for link in targets if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(path: Path) -> None:
    named = set(COMMAND.findall(path.read_text()))
    unknown = {name for name in named if CliRunner().invoke(main, [name, "--help"]).exit_code != 0}
    assert unknown == set()
