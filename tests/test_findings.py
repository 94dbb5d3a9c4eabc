"""Findings: each script stands alone, and pins the versions that the project is locked to."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SCRIPTS = sorted((PROJECT / "findings").glob("*.sh"))


def test_there_are_findings():
    assert len(SCRIPTS) >= 2
    assert "NAME.sh" in (PROJECT / "findings" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_stands_alone_and_pins_what_is_locked(script):
    text = script.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in text and "mktemp -d" in text and "trap 'rm -rf" in text
    assert not re.search(r"spectra[_-]lib|PYTHONPATH", text)  # none of our code
    locked = dict(
        line.split("==")
        for file in ("requirements.lock", "workflow/measured.lock")
        for line in (PROJECT / file).read_text(encoding="utf-8").split()
        if re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line)
    )
    pinned: dict[str, set[str]] = {}
    for name, version in re.findall(r"([a-z0-9-]+)==(\d[\d.]*)", text):
        pinned.setdefault(name, set()).add(version)
    assert len(pinned) >= 2
    assert {name for name in pinned.keys() & locked.keys() if locked[name] not in pinned[name]} == set()
    for program in re.findall(r"<<'PYTHON'\n(.*?)\nPYTHON\n", text, re.DOTALL):
        imported = {
            (node.module if isinstance(node, ast.ImportFrom) else name.name).partition(".")[0]
            for node in ast.walk(ast.parse(program))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in node.names
        }
        named = {name.replace("-", "_") for name in pinned} | {"tensorflow"}
        assert imported <= named | sys.stdlib_module_names
