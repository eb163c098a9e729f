"""Files in a folder per class, in parts or not: what trees of images and of event frames have in common.

Parts are folders, in capitals or not: ``train`` or ``training``; ``val``, ``valid`` or ``validation``; ``test`` or
``testing``. With ``test`` beside it, the validation
part is the selection set; without, it is the test set, as ImageNet's is. A tree of class folders alone is cut once: of
the files of every class, in the order of their names, a fixed permutation takes a share for the test set.
Hidden files and folders are no part of a data set, at any depth.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import PrimeSVTError
from ...suggestion import meant
from ..data_set import DataSet, ImageSource, split

TRAIN, VALIDATION, TEST = ("train", "training"), ("val", "valid", "validation"), ("test", "testing")
Files = tuple[tuple[Path, ...], np.ndarray]


@dataclass(frozen=True)
class ClassTree:
    """A directory of files by class.

    Args:
        directory: Where it is.
        suffixes: Of the files that count, in lower case.
        what: A file of this kind is called, for messages.
    """

    directory: Path
    suffixes: Collection[str]
    what: str

    @property
    def parts(self) -> dict[str, Path]:
        """The parts that are there.

        Raises:
            PrimeSVTError: A part is there under two names.
        """
        named = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
        folders = sorted(place for place in self.directory.iterdir() if place.is_dir())
        there = {part: [place for place in folders if place.name.lower() in names] for part, names in named.items()}
        if twice := next((places for places in there.values() if len(places) > 1), None):
            raise PrimeSVTError(
                f"{self.directory} has {' and '.join(f'{place.name}/' for place in twice)}, which mean the same; "
                "remove or rename one."
            )
        return {part: places[0] for part, places in there.items() if places}

    def first(self) -> Path | None:
        """A file of the tree, found without listing all; None where there is none."""
        places = tuple(self.parts.values()) or (self.directory,)
        files = (file for part in places for name in class_folders(part) for file in self._files(part / name))
        return next(files, None)

    def open(self, source: Callable[[tuple[Path, ...]], ImageSource], test_fraction: float) -> DataSet:
        """The data set of the tree.

        Args:
            source: Reads files.
            test_fraction: Of the files of every class, where the tree has no parts.

        Raises:
            PrimeSVTError: Classes differ between parts, or have no file.
        """
        places = self.parts
        first = places.get("train") or next(iter(places.values()), self.directory)
        classes = class_folders(first)
        if len(classes) < 2:
            raise PrimeSVTError(f"{first} must have a folder for each of at least two classes{_below(first, classes)}")
        for place in places.values():
            if extra := sorted(set(class_folders(place)) - set(classes)):
                guess = meant(extra[0], classes) or "."
                raise PrimeSVTError(f"{place} has classes that {first.name}/ has not: {', '.join(extra[:5])}{guess}")
        if places.keys() == {"train"}:
            raise PrimeSVTError(
                f"{self.directory} has {first.name}/ but neither test/ nor val/; give {first}, and a share of it is "
                "the test set (--test-fraction)."
            )

        listed = {part: self._listed(place, classes) for part, place in places.items()}
        notes: tuple[str, ...] = ()
        if not listed:
            listed["train"], listed["test"] = cut(self._listed(self.directory, classes), test_fraction)
            notes = (
                f"{self.directory} has no train/ and test/: {len(listed['test'][0]):,} of its files, "
                f"{test_fraction:g} of every class by a fixed rule, at least one, are the test set.",
            )
        elif "test" not in listed:
            notes = (f"{places['validation'].name}/ is the test set, as there is no test/.",)
            listed["test"] = listed.pop("validation")
        elif "validation" in listed:
            notes = (f"{places['validation'].name}/ is the selection set.",)
        unused = [name for name in class_folders(self.directory) if self.directory / name not in places.values()]
        if places and unused:
            notes += (f"{self.directory} has folders that are no part of the data set: {', '.join(unused[:5])}.",)
        parts = {part: (source(files), labels) for part, (files, labels) in listed.items() if files}
        validation = parts.get("validation")
        data = split(
            str(self.directory), classes, parts.get("train"), parts["test"], validation=validation, notes=notes
        )
        return replace(data, cut_by_fraction=not places)

    def _listed(self, part: Path, classes: Sequence[str]) -> Files:
        files = [(file, label) for label, name in enumerate(classes) for file in sorted(self._files(part / name))]
        labels = np.array([label for _, label in files], dtype=np.int64)
        if empty := [name for label, name in enumerate(classes) if label not in labels]:
            raise PrimeSVTError(f"{part} has no {self.what} of {', '.join(empty[:5])}: a folder is missing or empty.")
        return tuple(file for file, _ in files), labels

    def _files(self, folder: Path) -> Iterator[Path]:
        for file in folder.rglob("*"):
            if file.suffix.lower() not in self.suffixes or hidden(file.relative_to(folder)):
                continue
            if file.is_symlink() and not file.exists():
                raise PrimeSVTError(f"{file} is a link to {file.readlink()}, which does not exist; mend or remove it.")
            if file.is_file():
                yield file


def _below(directory: Path, folders: Sequence[str]) -> str:
    """A hint where an archive was unpacked into a folder of its own."""
    if len(folders) == 1 and len(class_folders(directory / folders[0])) > 1:
        return f"; did you mean {directory / folders[0]}?"
    return "."


def class_folders(directory: Path) -> tuple[str, ...]:
    """Names of the folders, sorted."""
    return tuple(sorted(f.name for f in directory.iterdir() if f.is_dir() and not hidden(Path(f.name))))


def hidden(path: Path) -> bool:
    """Whether a file or a folder on the way to it is hidden, as the ``._*`` of macOS and what its archives hold are."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def cut(files: Files, test_fraction: float) -> tuple[Files, Files]:
    """Training and test files, each with the same share of every class; by the order of names and a fixed permutation.

    Args:
        files: All files, with their labels.
        test_fraction: Share of every class that is the test set, from 0 to 1; of a class with any, at least one file.
    """
    names, labels = files
    tested = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        count = max(1, round(test_fraction * len(own)))
        tested[own[np.random.RandomState(0).permutation(len(own))[:count]]] = True

    def of(chosen: np.ndarray) -> Files:
        return tuple(name for name, taken in zip(names, chosen, strict=True) if taken), labels[chosen]

    return of(~tested), of(tested)
