"""Plans are data: bounded ratios, a JSON round trip, files written whole."""

import copy
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError
from primesvt.pruning import CRITERIA, PruningPlan, kept_count, load_plan, save_plan

RATIOS = st.floats(0, 1, exclude_max=True)
PLANS = st.builds(
    PruningPlan,
    st.dictionaries(st.text(max_size=12), RATIOS, max_size=8),
    st.sampled_from(list(CRITERIA)),
    multiple=st.integers(1, 64),
)


@given(PLANS)
def test_json_round_trip(plan: PruningPlan) -> None:
    again = PruningPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert hash(again) == hash(plan)
    for copied in (pickle.loads(pickle.dumps(plan)), copy.deepcopy(plan)):  # noqa: S301
        assert copied == plan


def test_the_json_of_a_plan() -> None:
    plan = PruningPlan({"b": 0.5, "a": 0}, "l1")
    assert plan.to_json() == {"criterion": "l1", "ratios": {"a": 0.0, "b": 0.5}}
    assert list(plan.ratios) == ["a", "b"]
    assert type(plan.ratios["a"]) is float
    assert PruningPlan.from_json({"ratios": {}}) == PruningPlan()


@pytest.mark.parametrize("ratio", [0, 0.0, 1e-300, 0.5, math.nextafter(1, 0), 1, 1.0, np.float64(0.25), -0.0])
def test_ratios_that_are_allowed(ratio: float) -> None:
    assert PruningPlan({"a": ratio}).ratios["a"] == ratio


@pytest.mark.parametrize(
    "ratio", [1 + 1e-9, -1e-9, -1, 2, math.nan, math.inf, -math.inf, True, False, "0.5", None, [0.5], 0.5j, 10**400]
)
def test_ratios_that_are_refused(ratio: object) -> None:
    for make in (
        lambda: PruningPlan({"blocks.0.hidden": ratio}),
        lambda: PruningPlan.from_json({"ratios": {"blocks.0.hidden": ratio}}),
    ):
        with pytest.raises(
            PrimeSVTError, match=r"ratio of blocks\.0\.hidden must be in \[0, 1\], the fraction removed"
        ):
            make()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "A plan must look like"),
        ({"ratios": [0.5]}, "A plan must look like"),
        ({"ratios": None}, "A plan must look like"),
        ({"ratios": {}, "criterion": 2}, "A plan must look like"),
        ({"ratios": {}, "rates": {}}, "A plan has 'criterion', 'ratios', 'repair' and 'multiple', got also rates"),
    ],
)
def test_data_that_is_no_plan(data: dict, message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        PruningPlan.from_json(data)


def test_a_plan_cannot_be_changed() -> None:
    ratios = {"a": 0.5}
    plan = PruningPlan(ratios)
    ratios["a"] = 0.9
    assert plan.ratios["a"] == 0.5
    with pytest.raises(TypeError):
        plan.ratios["a"] = 0.1
    with pytest.raises(AttributeError):
        plan.criterion = "l1"


def test_what_makes_another_plan() -> None:
    plan = PruningPlan({"a": 0.5}, "l1")
    assert plan != PruningPlan({"a": 0.5, "b": 0.25}, "l1")
    assert plan == PruningPlan({"a": 0.5}, "l1") != PruningPlan({"a": 0.5}, "l2")
    assert plan != PruningPlan({"a": 0.5}, "l1", ("norm",))
    assert plan != PruningPlan({"a": 0.5}, "l1", multiple=8)


def test_files(tmp_path: Path) -> None:
    plan = PruningPlan({"a": 0.5, "ö": 0.1})
    save_plan(plan, tmp_path / "new" / "plan.json")
    assert load_plan(str(tmp_path / "new" / "plan.json")) == plan
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"Cannot read the plan .*plan\.json: plan\.json is no JSON"),
        ("[]", r"Cannot read the plan .*plan\.json: plan\.json holds no JSON object"),
        ('{"ratios": 1}', r"plan\.json: A plan must look like"),
        ('{"ratios": {"a": NaN}}', r"plan\.json: The ratio of a must be in"),
        ('{"ratios": {"a": Infinity}}', r"plan\.json: The ratio of a must be in"),
        ('{"ratios": {"a": true}}', r"plan\.json: The ratio of a must be in"),
    ],
)
def test_files_that_hold_no_plan(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(PrimeSVTError, match=message):
        load_plan(tmp_path / "plan.json")


def test_a_missing_file_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"^Cannot read the plan \S*nowhere\.json: No such file or directory\.$"):
        load_plan(tmp_path / "nowhere.json")


def test_a_full_disk_leaves_the_old_plan(tmp_path: Path, monkeypatch) -> None:
    file, old = tmp_path / "plan.json", PruningPlan({"a": 0.5})
    save_plan(old, file)

    def half(self: Path, text: str, **_options: object) -> None:
        self.write_bytes(text[:5].encode())
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", half)
        with pytest.raises(PrimeSVTError, match=r"Cannot write the plan .*plan\.json: .*No space left"):
            save_plan(PruningPlan(), file)
    assert load_plan(file) == old
    assert [f.name for f in tmp_path.iterdir()] == ["plan.json"]
    with pytest.raises(PrimeSVTError, match="Cannot write the plan"):
        save_plan(old, file / "below.json")


@pytest.mark.parametrize(
    ("channels", "ratio", "heads", "kept"),
    [
        (10, 0.0, 1, 10),
        (10, 0.09, 1, 10),
        (10, 0.1, 1, 9),
        (10, 0.19, 1, 9),
        (10, 0.999, 1, 1),
        (1, 0.9, 1, 1),
        (16, 0.5, 4, 8),
        (16, 0.3, 4, 12),
        (16, 0.9, 4, 4),
        (4, 0.9, 4, 4),
        (100, 0.29, 1, 71),
        (16, 1.0, 4, 0),
        (16, math.nextafter(1, 0), 4, 4),
    ],
)
def test_kept_by_hand(channels: int, ratio: float, heads: int, kept: int) -> None:
    assert kept_count(channels, ratio, heads) == kept


@pytest.mark.parametrize(
    ("channels", "ratio", "heads", "multiple", "kept"),
    [
        (64, 0.0, 1, 8, 64),
        (64, 0.1, 1, 8, 64),
        (64, 0.125, 1, 8, 56),
        (64, 0.99, 1, 8, 8),
        (60, 0.05, 1, 8, 60),
        (60, 0.5, 1, 8, 32),
        (6, 0.9, 1, 8, 6),
        (64, 0.5, 4, 8, 32),
        (64, 0.6, 4, 8, 32),
        (24, 0.5, 4, 8, 24),
    ],
)
def test_kept_in_multiples_by_hand(channels: int, ratio: float, heads: int, multiple: int, kept: int) -> None:
    assert kept_count(channels, ratio, heads, multiple=multiple) == kept


@given(st.integers(1, 200), RATIOS, st.integers(1, 6), st.integers(1, 40), st.integers(1, 50))
def test_what_is_kept_is_a_multiple_or_all(per_head: int, ratio: float, heads: int, multiple: int, least: int) -> None:
    plain, kept = (kept_count(per_head * heads, ratio, heads, multiple=each, least=least) for each in (1, multiple))
    own = kept // heads
    assert kept % heads == 0
    assert own % multiple == 0 or own == per_head
    assert min(plain, per_head * heads) <= kept < plain + multiple * heads
    assert own >= min(least, per_head)


@pytest.mark.parametrize("multiple", [0, -8, 1.5, "8", None, True])
def test_a_multiple_that_is_no_whole_number_is_refused(multiple: object) -> None:
    with pytest.raises(PrimeSVTError, match="multiple of a plan is a whole number of at least 1, got"):
        PruningPlan.from_json({"ratios": {}, "multiple": multiple})


@pytest.mark.parametrize("repair", ["mean", ("mean", 3), [None]])
def test_a_repair_that_is_no_list_of_names_is_refused(repair: object) -> None:
    with pytest.raises(PrimeSVTError, match="repair of a plan is a list"):
        PruningPlan({}, repair=repair)  # type: ignore[arg-type]


def test_steps_of_repair_round_trip_and_can_be_hashed() -> None:
    plan = PruningPlan({"a": 0.5}, repair=["norm", "mean"])  # type: ignore[arg-type]
    assert plan.repair == ("norm", "mean")
    assert PruningPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert {plan: 1}[copy.deepcopy(plan)] == 1
