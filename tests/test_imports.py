"""What the imports of the four folders say of them: they point one way, within a folder, too, and nowhere in a circle.

And tests/ mirrors the folders: whoever looks for the test of a file finds it at the file's own place.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("models", "pruning", "search", "studies")
# The rooms of each folder, and files at its top, each of which may import those above its line only, and itself. A file
# at the top of a folder that is not listed is one that all rooms need: it imports no room.
ROOMS: Mapping[str, tuple[set[str], ...]] = {
    "models": (
        {"layers"},
        {"families"},
        {"data", "checkpoints", "engine", "model_directory"},
        {"prediction"},
        {"training", "export"},
    ),
    "pruning": (
        {"criteria", "latency"},
        {"measures"},
        {"kept"},
        {"surgery", "masking", "matching", "repair"},
        {"stored_bytes"},
        {"byte_counter"},
        {"pruner"},
        {"family_contract"},
    ),
    "search": ({"samplers"}, {"starts"}),
    "studies": (
        {"running"},
        {"reporting"},
        {"dashboard", "parser"},
        {"completion"},
        {"commands"},
        {"cli"},
        {"notebook", "main"},
    ),
}
# Rooms of additions of one kind, with the test that asks all of them the same: what it names of them is tested.
ADDITIONS = {
    "models/families": "pruning/test_family_contract.py",
    "pruning/criteria": "pruning/criteria/test_criterion.py",
    "pruning/repair": "pruning/repair/test_run.py",
    "search/samplers": "search/samplers/test_registry.py",
}
# Other files without a test of their own place, with the file that tests them.
TESTED_IN = {
    "models/checkpoints/official_state.py": "models/checkpoints/test_importing.py",
    "models/checkpoints/pickle_safety.py": "models/checkpoints/test_weights_file.py",
    "models/checkpoints/recognition.py": "models/checkpoints/test_importing.py",
    "models/checkpoints/torch_archive.py": "models/checkpoints/test_weights_file.py",
    "models/engine/counter.py": "models/engine/test_work.py",
    "models/engine/device_forward.py": "studies/running/test_backends.py",
    "models/engine/operators.py": "models/engine/test_program.py",
    "models/engine/plain_engine.py": "studies/running/test_backends.py",
    "models/engine/spike_kernels.py": "models/engine/test_spike_conv.py",
    "models/engine/synapses.py": "models/engine/test_work.py",
    "models/families/membrane_block.py": "pruning/test_family_contract.py",
    "models/families/spiking_block.py": "pruning/test_family_contract.py",
    "models/layers/fused_neuron.py": "models/layers/test_neuron.py",
    "models/layers/kernels.py": "models/layers/test_compiling.py",
    "pruning/family_contract/contract.py": "pruning/test_family_contract.py",
    "pruning/family_contract/lively.py": "pruning/test_family_contract.py",
    "pruning/repair/reference.py": "pruning/repair/test_run.py",
    "pruning/repair/sweep.py": "pruning/repair/test_run.py",
    "search/baseline.py": "search/test_reuse.py",
    "search/samplers/kind.py": "search/samplers/test_registry.py",
    "search/samplers/plan_sampler.py": "search/samplers/test_prioritized.py",
    "studies/commands/backend.py": "studies/running/test_backends.py",
    "studies/main.py": "studies/test_cli.py",
    "studies/notebook/push.py": "studies/commands/test_push.py",
    "studies/options_file.py": "studies/test_parser.py",
    "studies/reporting/make_comparison.py": "studies/commands/test_compare.py",
    "studies/reporting/comparison.py": "studies/commands/test_compare.py",
    "studies/reporting/evaluated.py": "studies/test_cli.py",
    "studies/reporting/evidence.py": "studies/reporting/test_verdict.py",
    "studies/reporting/finetuned.py": "studies/commands/test_compare.py",
    "studies/reporting/leads.py": "studies/reporting/test_verdict.py",
    "studies/reporting/model_card.py": "studies/commands/test_push.py",
    "studies/reporting/standings.py": "studies/reporting/test_verdict.py",
    "studies/reporting/summary.py": "studies/commands/test_compare.py",
    "studies/running/delegating_storage.py": "studies/running/test_signing_storage.py",
    "studies/running/finetuning.py": "studies/test_cli.py",
    "studies/running/identity.py": "studies/running/test_settings.py",
    "studies/running/latency.py": "studies/commands/test_measure.py",
    "studies/running/progress.py": "studies/test_cli.py",
}


def name_of(file: Path) -> str:
    """The dotted name by which a file is imported; a folder's is that of its ``__init__``."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def files() -> Mapping[str, Path]:
    """Every source file by its dotted name."""
    return {name_of(file): file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))}


@cache
def tree(file: Path) -> ast.Module:
    """What a file says."""
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imported(file: Path) -> tuple[tuple[int, str], ...]:
    """Level and name of everything that a file imports, wherever in it, and for type checking alone, too."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # What is imported from a folder may be a file of it.
            found += [(node.level, f"{node.module or ''}.{alias.name}".lstrip(".")) for alias in node.names]
    return tuple(found)


def resolved(file: Path, level: int, name: str) -> str | None:
    """The file among ours that an import means, by its dotted name, or None."""
    if level:
        package = file.relative_to(ROOT).parts[:-1]
        name = ".".join((*package[: len(package) + 1 - level], name))
    elif name.startswith("primesvt."):
        name = name.removeprefix("primesvt.")
    else:
        return None
    # The last part may be a function of the file, the last two one of a folder's.
    while name and name not in files():
        name = name.rpartition(".")[0]
    return name or None


@cache
def arrows() -> Mapping[str, frozenset[str]]:
    """Which files each file imports, by their dotted names."""
    found = {
        name: frozenset(
            target
            for level, what in imported(file)
            if (target := resolved(file, level, what)) is not None and target != name
        )
        for name, file in files().items()
    }
    assert sum(map(len, found.values())) > len(found), "hardly an import was read"
    return found


def circle(graph: Mapping[str, frozenset[str]]) -> list[str]:
    """Names that lead back to the first of them; empty where there are none."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        found = next((found for target in sorted(graph[name]) if (found := visit(target))), [])
        path.pop()
        done.add(name)
        return found

    return next((found for name in graph if (found := visit(name))), [])


def test_circles_are_found() -> None:
    of = {"a": frozenset("b"), "b": frozenset("cd"), "c": frozenset(), "d": frozenset("b")}
    assert circle(of) == ["b", "d", "b"]
    assert circle({**of, "d": frozenset("c")}) == []


def test_no_two_files_import_each_other() -> None:
    assert " -> ".join(circle(arrows())) == ""


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_point_one_way(folder: str) -> None:
    """models <- pruning <- search <- studies; relative inside a folder, absolute across folders."""
    below = FOLDERS[: FOLDERS.index(folder) + 1]
    for name, file in files().items():
        if not name.startswith(folder):
            continue
        for level, what in imported(file):
            place = f"{file.relative_to(ROOT)}: {'.' * level}{what}"
            target = resolved(file, level, what)
            assert level < len(file.relative_to(ROOT).parts), f"{place} leaves its folder"
            assert level or what.split(".")[0] not in FOLDERS, f"{place} is a second copy under a bare name"
            if target is not None:
                top = target.split(".")[0]
                assert top in below, f"{place} points upwards"
                assert (level > 0) == (top == folder), f"{place} should be {'absolute' if level else 'relative'}"


def floor(name: str) -> int:
    """On which floor of its folder a file is; 0 for the few that all rooms need."""
    folder, room, *_ = name.split(".")
    return next((number for number, rooms in enumerate(ROOMS[folder], 1) if room in rooms), 0)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_rooms_of_a_folder_are_on_floors(folder: str) -> None:
    inside = {name: targets for name, targets in arrows().items() if name.startswith(f"{folder}.")}
    there = {name.split(".")[1] for name in inside}
    assert set().union(*ROOMS[folder]) <= there
    rooms = {name.split(".")[1] for name, file in files().items() if name in inside and len(name.split(".")) > 2}
    assert rooms <= set().union(*ROOMS[folder]), "these have no floor"
    for name, targets in inside.items():
        for target in targets:
            if not f"{target}.".startswith(f"{folder}."):
                continue
            assert target != folder, f"{name} imports all of {folder}/; import the file that has it"
            same = target.split(".")[1] == name.split(".")[1]
            assert same or floor(target) < floor(name) or floor(target) == 0, f"{name} -> {target} points upwards"


def functions(file: Path) -> Iterator[ast.FunctionDef]:
    """The functions of a file, and the methods of its classes."""
    for node in tree(file).body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (each for each in node.body if isinstance(each, ast.FunctionDef))


def does_something(function: ast.FunctionDef) -> bool:
    """Whether a function is more than a declaration: its text, and an ellipsis if any, is all of a protocol's."""
    return not all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in function.body)


def is_command(file: Path) -> bool:
    """Whether a file is a command of the command line, or of the notebook, by its place and its functions."""
    name, own = file.stem.rstrip("_"), {each.name for each in functions(file)}
    return {"commands": {"add_arguments", "run"} <= own, "notebook": name in own}.get(file.parent.name, False)


@cache
def source(folder: str) -> str:
    """Everything that the tests of a folder say, or that one of them says."""
    place = ROOT / "tests" / folder
    return "\n".join(each.read_text(encoding="utf-8") for each in (place.rglob("*.py") if place.is_dir() else [place]))


def is_run(file: Path) -> bool:
    """Whether a test calls a command as a user does: by its name, at the beginning of a command line or from Python."""
    name = file.stem.rstrip("_")
    if file.parent.name == "notebook":
        return re.search(rf"\bprimesvt\.{name}\(", source("studies")) is not None
    return re.search(rf"\(\s*\"{name}\",", source("studies")) is not None


def declared(file: Path) -> Iterator[str]:
    """What names an addition that a file declares: its class, or its own name in quotes."""
    for node in tree(file).body:
        said: list[ast.expr] = []
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            said = [*node.value.args[:1], *(each.value for each in node.value.keywords if each.arg == "name")]
        elif isinstance(node, ast.ClassDef):
            lines = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            said = [each.value for each in lines if ast.unparse(each.target) in ("name", "family") and each.value]
            yield from (node.name for each in said if isinstance(each, ast.Constant))
        yield from (f'"{each.value}"' for each in said if isinstance(each, ast.Constant))


def is_named(file: Path) -> bool:
    """Whether the test of a room of additions names the one that a file of the room declares."""
    test = ADDITIONS.get(file.parent.relative_to(ROOT).as_posix())
    return test is not None and any(name in source(test) for name in declared(file))


def excused(file: Path) -> bool:
    """Whether a file needs no test of its own place.

    It does nothing by itself; or it holds tests, such as a contract's; or it is a command that a test runs, or an
    addition that the test of its room names.
    """
    own = list(functions(file))
    return (
        not any(map(does_something, own))
        or any(each.name.startswith("test_") for each in own)
        or (is_command(file) and is_run(file))
        or is_named(file)
    )


def test_the_tests_mirror_the_folders() -> None:
    """A file is tested at its own place, or excused by a rule, or listed with the file that tests it."""
    tests = ROOT / "tests"
    every = {file.relative_to(ROOT).as_posix(): file for file in files().values()}
    own = {
        name for name, file in every.items() if (tests / name).with_name(f"test_{file.stem.rstrip('_')}.py").is_file()
    }
    needy = {name for name, file in every.items() if name not in own and not excused(file)}
    assert sorted(needy - TESTED_IN.keys()) == [], "these have no test: write one, or list where they are tested"
    assert sorted(TESTED_IN.keys() - needy) == [], "these have one, or need none: take them off"
    assert sorted(test for test in TESTED_IN.values() if not (tests / test).is_file()) == [], "these are no tests"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("models/errors.py", "it does nothing"),
        ("pruning/family_contract/answered.py", "it holds tests"),
        ("studies/commands/layers.py", "a test runs it"),
        ("search/samplers/tpe.py", "the test of its room names it"),
    ],
)
def test_who_is_excused(name: str, why: str) -> None:
    assert excused(ROOT / name), why


@pytest.mark.parametrize(
    "name", ["pruning/masking.py", "pruning/repair/reference.py", "search/samplers/kind.py", "studies/cli.py"]
)
def test_who_is_not(name: str) -> None:
    assert not excused(ROOT / name)


def test_every_folder_of_tests_is_a_folder_of_sources() -> None:
    for folder in FOLDERS:
        for test in (ROOT / "tests" / folder).rglob("test_*.py"):
            place = test.parent.relative_to(ROOT / "tests")
            assert (ROOT / place).is_dir(), f"{test.relative_to(ROOT)} is at no place that holds sources"
