"""Findings: each script stands alone, and pins the versions that the project is locked to."""

import re
import subprocess
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
    assert "spectra" not in re.sub(r"SPECTRA|over spectra", "", text)
    lock = dict(
        line.split("==") for line in (PROJECT / "requirements.lock").read_text(encoding="utf-8").split() if "==" in line
    )
    pinned = dict(re.findall(r"([a-z-]+)==([\d.]+)", text))
    assert len(pinned) >= 2
    assert {name: lock[name] for name in pinned} == pinned
    for program in re.findall(r"<<'PYTHON'\n(.*?)\nPYTHON\n", text, re.DOTALL):
        compile(program, str(script), "exec")
