"""What the project says about itself in several places agrees: citation, environments, image, licence."""

import re
import tomllib
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[1]
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name):
    return yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))


def locked():
    """Versions of the lock file by package."""
    lines = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


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


def test_conda_gets_the_locked_versions_and_what_the_image_gets():
    environment = read("environment.yml")
    *plain, pip = environment["dependencies"]
    assert plain == ["python=3.11", "pip"]
    constraint, package = pip["pip"]
    assert constraint == "-c requirements.lock"
    extras = re.fullmatch(r"-e \.\[(.+)\]", package)[1].split(",")
    assert set(extras) <= set(DECLARED["optional-dependencies"])
    image = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    wanted = re.search(r'-c requirements\.lock -e "\.\[(.+?)\]"', image)[1]
    assert wanted.replace("${TENSORFLOW}", re.search("ARG TENSORFLOW=(.+)", image)[1]).split(",") == extras
    # Binder takes this Python, and the package allows it.
    assert f"FROM python:{plain[0].removeprefix('python=')}-slim" in image
    assert DECLARED["requires-python"].startswith(f">={plain[0].removeprefix('python=')}")


def test_the_lock_has_all_that_the_package_and_the_book_need():
    versions = locked()
    wanted = [*DECLARED["dependencies"], *DECLARED["optional-dependencies"]["book"]]
    wanted += DECLARED["optional-dependencies"]["tensorflow"][:1]
    names = {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in wanted}
    assert {name for name in names if name not in versions} == set()


def test_the_licence_is_the_one_declared():
    assert (PROJECT / "LICENSE").read_text(encoding="utf-8").startswith(f"{DECLARED['license']} License")
