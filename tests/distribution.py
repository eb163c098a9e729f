"""A package of somebody else as an installation would leave it: files on the path, and a description beside them."""

import tomllib
from pathlib import Path


def write_distribution(folder: Path, files: dict[str, str]) -> None:
    """Write a package's files, and its metadata with the entry points that its ``pyproject.toml`` declares."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
