"""What the imports of the four folders say of them: they point one way, within a folder, too, and nowhere in a circle.

And tests/ mirrors the folders: whoever looks for the test of a file finds it at the file's own place.
"""

import ast
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
        {"memory"},
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
# Files without a test of their own place, with the file that tests them.
TESTED_IN = {
    "models/layers/kernels.py": "models/layers/test_compiling.py",
    "studies/commands/backend.py": "studies/running/test_backends.py",
    "studies/running/storage_url.py": "studies/running/test_storage.py",
    "studies/versions.py": "studies/reporting/test_provenance.py",
    "models/layers/stock_neuron.py": "models/layers/test_neuron.py",
    "models/layers/fused_neuron.py": "models/layers/test_neuron.py",
    "models/engine/counter.py": "models/engine/test_work.py",
    "models/checkpoints/official_state.py": "models/checkpoints/test_importing.py",
    "models/checkpoints/pickle_safety.py": "models/checkpoints/test_weights_file.py",
    "models/checkpoints/torch_archive.py": "models/checkpoints/test_weights_file.py",
    "models/checkpoints/recognition.py": "models/checkpoints/test_importing.py",
    "models/data/formats/data_format.py": "models/data/formats/test_registry.py",
    "models/engine/device_forward.py": "studies/running/test_backends.py",
    "models/engine/plain_engine.py": "studies/running/test_backends.py",
    "models/engine/operators.py": "models/engine/test_program.py",
    "models/engine/simd.py": "models/engine/test_spike_conv.py",
    "models/engine/spike_kernels.py": "models/engine/test_spike_conv.py",
    "models/engine/synapses.py": "models/engine/test_work.py",
    "models/errors.py": "studies/test_cli.py",
    "models/families/published_data.py": "models/families/test_published.py",
    # The contract asks every family and its blocks the same questions.
    "models/families/maxformer.py": "pruning/test_family_contract.py",
    "models/families/membrane_block.py": "pruning/test_family_contract.py",
    "models/families/meta_spikeformer.py": "pruning/test_family_contract.py",
    "models/families/qkformer.py": "pruning/test_family_contract.py",
    "models/families/spike_driven_transformer.py": "pruning/test_family_contract.py",
    "models/families/spikformer.py": "pruning/test_family_contract.py",
    "models/families/spiking_block.py": "pruning/test_family_contract.py",
    "pruning/criteria/bn_scale.py": "pruning/criteria/test_criterion.py",
    "pruning/criteria/l1.py": "pruning/criteria/test_criterion.py",
    "pruning/criteria/l2.py": "pruning/criteria/test_criterion.py",
    "pruning/criteria/random.py": "pruning/criteria/test_criterion.py",
    "pruning/repair/affine.py": "pruning/repair/test_run.py",
    "pruning/repair/divergence.py": "pruning/repair/test_run.py",
    "pruning/repair/least_squares.py": "pruning/repair/test_run.py",
    "pruning/repair/mean.py": "pruning/repair/test_run.py",
    "pruning/repair/norm.py": "pruning/repair/test_run.py",
    "pruning/repair/reference.py": "pruning/repair/test_run.py",
    "pruning/repair/step.py": "pruning/repair/test_run.py",
    "pruning/repair/sweep.py": "pruning/repair/test_run.py",
    "pruning/repair/twin.py": "pruning/repair/test_run.py",
    "pruning/family_contract/answered.py": "pruning/test_family_contract.py",
    "pruning/family_contract/contract.py": "pruning/test_family_contract.py",
    "pruning/family_contract/declared.py": "pruning/test_family_contract.py",
    "pruning/family_contract/lively.py": "pruning/test_family_contract.py",
    "pruning/family_contract/pruned.py": "pruning/test_family_contract.py",
    "pruning/masking.py": "pruning/test_family_contract.py",
    "search/baseline.py": "search/test_reuse.py",
    "search/optuna_private.py": "search/test_places.py",
    "search/samplers/global_threshold.py": "search/samplers/test_ladder.py",
    "search/samplers/gp.py": "search/samplers/test_reseeded.py",
    "search/samplers/nsga2.py": "search/samplers/test_reseeded.py",
    "search/samplers/random.py": "search/samplers/test_reseeded.py",
    "search/samplers/tpe.py": "search/samplers/test_reseeded.py",
    "search/samplers/uniform.py": "search/samplers/test_ladder.py",
    "search/samplers/kind.py": "search/samplers/test_registry.py",
    "search/samplers/plan_sampler.py": "search/samplers/test_prioritized.py",
    "studies/doubts.py": "studies/test_parser.py",
    "studies/options_file.py": "studies/test_parser.py",
    "studies/commands/dashboard.py": "studies/test_cli.py",
    "studies/commands/evaluate.py": "studies/test_cli.py",
    "studies/commands/export.py": "studies/running/test_exported.py",
    "studies/commands/finetune.py": "studies/test_cli.py",
    "studies/commands/layers.py": "studies/test_cli.py",
    "studies/commands/repair.py": "studies/commands/test_prune.py",
    "studies/commands/robustness.py": "studies/test_cli.py",
    "studies/commands/search.py": "studies/test_cli.py",
    "studies/running/console.py": "studies/running/test_budget.py",
    "studies/running/delegating_storage.py": "studies/running/test_signing_storage.py",
    "studies/running/latency.py": "studies/commands/test_measure.py",
    "studies/main.py": "studies/test_cli.py",
    "studies/notebook/evaluate.py": "studies/notebook/test_search.py",
    "studies/notebook/finetune.py": "studies/notebook/test_prune.py",
    "studies/notebook/frames.py": "studies/notebook/test_search.py",
    "studies/notebook/layers.py": "studies/notebook/test_prune.py",
    "studies/notebook/push.py": "studies/commands/test_push.py",
    "studies/notebook/repair.py": "studies/notebook/test_prune.py",
    "studies/notebook/robustness.py": "studies/notebook/test_search.py",
    "studies/notebook/train.py": "studies/notebook/test_prune.py",
    "studies/reporting/evaluated.py": "studies/test_cli.py",
    "studies/reporting/comparing.py": "studies/commands/test_compare.py",
    "studies/reporting/comparison.py": "studies/commands/test_compare.py",
    "studies/reporting/summary.py": "studies/commands/test_compare.py",
    "studies/reporting/terminal.py": "studies/commands/test_compare.py",
    "studies/reporting/finetuned.py": "studies/commands/test_compare.py",
    "studies/reporting/evidence.py": "studies/reporting/test_verdict.py",
    "studies/reporting/model_card.py": "studies/commands/test_push.py",
    "studies/reporting/leads.py": "studies/reporting/test_verdict.py",
    "studies/reporting/standings.py": "studies/reporting/test_verdict.py",
    "studies/running/finetuning.py": "studies/test_cli.py",
    "studies/running/identity.py": "studies/running/test_settings.py",
    "studies/running/model_output.py": "studies/commands/test_prune.py",
    "studies/running/progress.py": "studies/test_cli.py",
    "studies/running/subject.py": "studies/running/test_runner.py",
}


def name_of(file: Path) -> str:
    """The dotted name by which a file is imported; a folder's is that of its ``__init__``."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def files() -> Mapping[str, Path]:
    """Every source file by its dotted name."""
    return {name_of(file): file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))}


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """Level and name of everything that a file imports, wherever in it, and for type checking alone, too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # What is imported from a folder may be a file of it.
            yield from ((node.level, f"{node.module or ''}.{alias.name}".lstrip(".")) for alias in node.names)


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


def holds_code(file: Path) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(file.read_text(encoding="utf-8")).body
    )


def test_the_tests_mirror_the_folders() -> None:
    """A file with functions or classes is tested at its own place, or listed with the file that tests it."""
    tests = ROOT / "tests"
    coded = {file.relative_to(ROOT) for file in files().values() if holds_code(file)}
    own = {
        place.as_posix() for place in coded if (tests / place.parent / f"test_{place.stem.rstrip('_')}.py").is_file()
    }
    listed = set(TESTED_IN)
    assert sorted(own & listed) == [], "these have a test of their own: take them off the list"
    assert sorted({place.as_posix() for place in coded} - own - listed) == [], "these have none: write one, or list it"
    assert sorted(listed - {place.as_posix() for place in coded}) == [], "these are no files with code"
    assert sorted(test for test in TESTED_IN.values() if not (tests / test).is_file()) == [], "these are no tests"


def test_every_folder_of_tests_is_a_folder_of_sources() -> None:
    for folder in FOLDERS:
        for test in (ROOT / "tests" / folder).rglob("test_*.py"):
            place = test.parent.relative_to(ROOT / "tests")
            assert (ROOT / place).is_dir(), f"{test.relative_to(ROOT)} is at no place that holds sources"
