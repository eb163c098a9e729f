"""What others cite and read of changes says what the project says of itself."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_citation_is_of_this_version_and_this_paper() -> None:
    assert re.search(r"^version: (\S+)$", CITATION, re.M)[1] == PROJECT["version"]
    assert f"name: {PROJECT['authors'][0]['name']}" in CITATION
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (eprint,) = re.findall(r"eprint\s+= \{(.*?)\}", readme)
    assert f"arXiv:{eprint}" in CITATION
    for family in re.findall(r"family-names: (\w+)", CITATION):
        assert f"{family}, " in readme


def test_the_changelog_has_this_version_and_kinds_of_changes_that_are_known() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.*)\]", text, re.M)
    # What is being developed has no heading of its own yet.
    assert versions[0] == ("Unreleased" if ".dev" in PROJECT["version"] else PROJECT["version"])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.M)) <= kinds
