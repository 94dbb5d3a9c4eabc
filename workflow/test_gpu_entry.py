"""Try the command for a GPU from a bare Python: only JAX, Keras and the wheels that the documentation names.

    python workflow/test_gpu_entry.py

Makes an environment of its own in a temporary folder, copies the library there, and trains small networks on the CPU.
Fails at the first thing that is not as the documentation says. Takes some minutes, and needs a package index.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from pathlib import Path

PROJECT = Path(__file__).parents[1]
RUNS = [
    {"dataset": "smoke", "model": "vgg", "max_epochs": 30},
    {"dataset": "smoke", "model": "cnn2", "max_epochs": 30, "options": {"hidden_units": [16]}},
    {"dataset": "smoke", "model": "vgg", "max_epochs": 30, "seed": 1},
]
NOT_THERE = ("typer", "pandas", "sklearn", "tqdm", "matplotlib", "tensorflow", "yaml")
LIMIT = 1800
"""Seconds after which a command has hung."""


def main() -> None:
    """Do all of it."""
    with tempfile.TemporaryDirectory(prefix="gpu-entry-") as name:
        folder = Path(name)
        python = make_environment(folder)
        install(python, "jax", "keras")
        done = command(python, folder, "--dry-run")
        expect(done.returncode == 2 and "Traceback" not in done.stderr, "lacking packages end in exit code 2")
        named = re.search(r"lacks \d+ packages: (.+)", done.stderr)
        expect(named is not None and set(named[1].split(", ")) == set(documented()), f"all are named: {done.stderr}")
        install(python, *documented())
        there = [module for module in NOT_THERE if run([python, "-c", f"import {module}"], folder).returncode == 0]
        expect(not there, f"the environment is bare, but for {there}")
        try_training(python, folder)
    print("The command for a GPU works from a bare Python.")


def try_training(python: Path, folder: Path) -> None:
    """An estimate; then a run that is stopped, goes on elsewhere, and gives what an uninterrupted one gives."""
    options = ["--on-cpu", "--runs", "runs.json", "--minutes", "60", "--processes", "2"]
    (folder / "runs.json").write_text(json.dumps(RUNS), encoding="utf-8")

    done = command(python, folder, "--runs", "runs.json", "--minutes", "60", "--dry-run")
    expect(done.returncode == 2 and "JAX sees no GPU" in done.stderr, "without a GPU it says so")
    done = command(python, folder, *options, "--dry-run")
    print(done.stdout)
    expect(done.returncode == 0 and "will probably be finished" in done.stdout, f"an estimate: {done.stderr}")
    expect(not list((folder / "gpu-records").glob("smoke/*.json")), "an estimate trains nothing")

    stopped = stop_half_way(python, folder, [*options, "--store", "first", "--archive", "half.tar.gz"])
    expect(stopped == 128 + signal.SIGTERM, f"SIGTERM ends it in order, with {stopped}")
    with tarfile.open(folder / "half.tar.gz") as archive:
        names = archive.getnames()
    print(*names, sep="\n")
    expect(any(re.search(r"\.work/.+/state-\d+\.npz", name) for name in names), "a checkpoint is in the archive")

    done = command(python, folder, *options, "--store", "second", "--archive", "half.tar.gz")
    print(done.stdout)
    expect(done.returncode == 0 and re.search(r"started after epoch \d+", done.stdout) is not None, "it goes on")
    done = command(python, folder, *options, "--store", "third", "--archive", "whole.tar.gz")
    expect(done.returncode == 0, f"uninterrupted: {done.stderr}")
    compare = (
        "from spectra_lib.runs.records import load_records\n"
        "second, third = ({r.digest: r for r in load_records(s)} for s in ('second', 'third'))\n"
        f"assert set(second) == set(third) and len(second) == {len(RUNS)}, (len(second), len(third))\n"
        "assert all(second[key].result() == third[key].result() for key in third)\n"
        "assert max(len(r.sessions) for r in second.values()) > 1, 'none was interrupted'\n"
        "assert not any(r.faults() for r in second.values())\n"
    )
    done = run([python, "-c", compare], folder)
    expect(done.returncode == 0, f"the records are those of an uninterrupted run: {done.stderr}")


def stop_half_way(python: Path, folder: Path, options: list[str]) -> int:
    """Start the command, send SIGTERM once a checkpoint is there, and give its exit code."""
    words = [python, "-m", "spectra_lib.experiments.gpu_campaign", *options]
    with subprocess.Popen(words, cwd=folder, env=environment()) as process:
        end = time.monotonic() + LIMIT
        while not list((folder / "first" / ".work").glob("smoke-*/state-00[1-9]?.npz")):
            expect(process.poll() is None and time.monotonic() < end, "it runs until it is stopped")
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=LIMIT)


def documented() -> list[str]:
    """Packages that the page on other machines names for a bare Python."""
    page = (PROJECT / "book" / "cluster.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^pip install 'jax\[cuda13\]' 'keras>=3\.8' (.+)$", page, re.MULTILINE)
    return [name.strip("'") for name in line.split()]


def make_environment(folder: Path) -> Path:
    """Make an empty virtual environment and a copy of the library's source."""
    venv.create(folder / "venv", with_pip=True)
    unwanted = shutil.ignore_patterns("__pycache__", "figures", "claims", "baselines")
    shutil.copytree(PROJECT / "spectra_lib", folder / "spectra_lib", ignore=unwanted)
    return folder / "venv" / "bin" / "python"


def install(python: Path, *packages: str) -> None:
    """Install packages in the versions of the lock file; pip takes no hashes for packages that are named without."""
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    words = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as versions:
        versions.write("\n".join(re.findall(r"^[\w.-]+==[^\s]+", lock, re.MULTILINE)) + "\n")
        versions.flush()
        subprocess.run([*words, "-c", versions.name, *packages], check=True)


def environment() -> dict[str, str]:
    """Environment without what this process may have set for itself."""
    unwanted = ("PYTHONPATH", "KERAS_BACKEND", "XLA_FLAGS", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if key not in unwanted}


def command(python: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command for a GPU."""
    return run([python, "-m", "spectra_lib.experiments.gpu_campaign", *options], folder)


def run(words: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it prints."""
    return subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=LIMIT)


def expect(holds: bool, what: str) -> None:
    """End with a message where something is not as it should be."""
    if not holds:
        sys.exit(f"not so: {what}")


if __name__ == "__main__":
    main()
