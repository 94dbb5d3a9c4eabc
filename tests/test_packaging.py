"""What the project says about itself in several places agrees: citation, environments, image, licence."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED, DEPENDENCY_GROUPS = PYPROJECT["project"], PYPROJECT["dependency-groups"]
LOCKS = ("requirements.lock", "workflow/installer.lock", "workflow/measured.lock")


def read(name):
    return yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))


def locked(name="requirements.lock"):
    """Versions of a lock file by package."""
    text = (PROJECT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.!+-]+)", text, re.MULTILINE))


def package_name(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def declared(*groups):
    """Names of the packages that the project declares, in some groups or in all."""
    extras = DECLARED["optional-dependencies"] | DEPENDENCY_GROUPS
    listed = chain(DECLARED["dependencies"], *(extras[group] for group in groups or extras))
    return {package_name(requirement) for requirement in listed} - {"spectra-lib"}


def test_the_citation_says_what_the_package_says():
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)  # what the format asks for
    assert citation["version"] == DECLARED["version"]
    assert citation["license"] == DECLARED["license"]
    assert citation["title"].startswith(f"{DECLARED['name']}: ")
    assert all(set(author) <= {"name", "family-names", "given-names", "orcid"} for author in citation["authors"])
    (paper,) = citation["references"]
    bibliography = (PROJECT / "book" / "references.bib").read_text(encoding="utf-8")
    assert paper["doi"] in bibliography
    assert paper["title"].lower() in re.sub(r"[{}]|\s+(?=\s)", "", bibliography).lower()


def test_the_version_is_the_same_everywhere():
    import spectra_lib

    assert spectra_lib.__version__ == DECLARED["version"]
    changes = re.findall(r"^## \[(.+?)\]", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert changes[0] in ("Unreleased", DECLARED["version"])


def test_conda_gets_what_the_image_gets():
    text = (PROJECT / "environment.yml").read_text(encoding="utf-8")
    *plain, pip = read("environment.yml")["dependencies"]
    assert plain == ["python=3.11", "pip"]
    assert pip["pip"] == ["-r workflow/installer.lock"]
    image = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    command = r"uv pip install .*?-c requirements\.lock -b requirements\.lock -e .\.\[(.+?)\]"
    wanted = re.search(command, image)[1].replace("${TENSORFLOW}", re.search("ARG TENSORFLOW=(.+)", image)[1])
    assert re.search(command, text)[1] == wanted
    assert set(wanted.split(",")) <= set(DECLARED["optional-dependencies"])
    # Binder takes this Python, and the package allows it.
    assert f"FROM python:{plain[0].removeprefix('python=')}-slim" in image
    assert DECLARED["requires-python"].startswith(f">={plain[0].removeprefix('python=')}")


def test_only_the_python_that_is_tested_is_declared():
    assert DECLARED["requires-python"] == ">=3.11,<3.12"
    for name in ("book", "preview"):
        (job, *_) = read(f".github/workflows/{name}.yml")["jobs"].values()
        assert [step["with"]["python-version"] for step in job["steps"] if "python" in step.get("uses", "")] == ["3.11"]


def test_the_lock_has_all_that_is_declared():
    names = declared("tensorflow", "gpu", "jax", "torch", "book", "workflow", "test", "browser")
    assert names - set(locked()) == set()
    assert set(locked("workflow/installer.lock")) == declared_in("installer")
    assert set(locked("workflow/measured.lock")) == declared_in("measured")


def declared_in(group):
    return {package_name(requirement) for requirement in DEPENDENCY_GROUPS[group]}


def test_the_lock_has_all_that_is_installed_with_the_package():
    versions = locked()
    wanted = declared("tensorflow", "jax", "book", "workflow", "test")
    seen = {"setuptools"}  # a virtual environment may have been made with one of its own
    while wanted - seen:
        name = (wanted - seen).pop()
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system, or an option that nobody asked for
        assert versions.get(name) == found.version, name
        needed = [text for text in found.requires or () if "extra ==" not in text]
        wanted |= {package_name(text) for text in needed}


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_its_hashes_and_no_place(name):
    text = (PROJECT / name).read_text(encoding="utf-8")
    packages = re.split(r"\n(?=\S)", text.partition("make lock\n")[2].rstrip())
    assert len(packages) == len(locked(name))
    for package in packages:
        first, *hashes = package.split(" \\\n")
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==", first), first
        assert hashes and all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes), first
    assert "//" not in text


def test_the_workflows_take_actions_by_commit():
    used = re.findall(r"uses: *(.+)", "\n".join(p.read_text() for p in (PROJECT / ".github").rglob("*.yml")))
    assert len(used) >= 5
    assert [step for step in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", step)] == []


def test_every_package_that_is_imported_is_declared():
    """Not only brought along by another one, which may do without it one day."""
    providers = metadata.packages_distributions()
    undeclared = {}
    for folder in ("spectra_lib", "tests", "workflow", "benchmarks"):
        for path in (PROJECT / folder).rglob("*.py"):
            for module in imported(path) - sys.stdlib_module_names - {"spectra_lib"}:
                names = {package_name(name) for name in providers.get(module, [module])}
                if not names & declared():
                    undeclared[module] = path.name
    assert undeclared == {}


def imported(path):
    """Names of the packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_the_licence_is_the_one_declared():
    assert (PROJECT / "LICENSE").read_text(encoding="utf-8").startswith(f"{DECLARED['license']} License")
