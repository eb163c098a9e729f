"""A model goes to the hub with a page that says what it is, and comes back by its name."""

import json
import re
from pathlib import Path

import pytest

import primesvt as api
from primesvt.models import fingerprint, load_model
from primesvt.studies.running.train_run import was_mirrored

from ...models import fake_hub
from ...models.fake_hub import FakeHub


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHub:
    """A hub with nothing on it."""
    return fake_hub.install(monkeypatch, tmp_path / "hub")


@pytest.fixture
def pruned(primesvt, model_dir, tmp_path: Path) -> Path:
    """A pruned model."""
    (tmp_path / "plan.json").write_text('{"ratios": {"blocks.0.hidden": 0.5}}')
    assert primesvt("prune", model_dir, "--plan", tmp_path / "plan.json", "-o", tmp_path / "pruned").code == 0
    return tmp_path / "pruned"


def test_a_pruned_model_there_and_back(primesvt, fake: FakeHub, pruned: Path, data_file: Path) -> None:
    told = primesvt("push", pruned, "ann/small", "--json").json
    assert told["name"] == "hf://ann/small"
    assert told["files"] == ["README.md", "config.json", "model.safetensors", "plan.json"]
    card = (fake.folder / "ann/small/main/README.md").read_text()
    assert card.startswith("---\nlibrary_name: primesvt\n")
    assert "| bytes | " in card
    assert 'primesvt.load_model("hf://ann/small")' in card
    left = json.loads((pruned / "config.json").read_text())["widths"]["blocks.0.hidden"]
    assert re.search(rf"^\| blocks\.0\.hidden \| [^|]+ \| {left} \| 50% \|$", card, re.M)
    assert str(pruned.parent) not in card
    assert fingerprint(load_model("hf://ann/small")) == fingerprint(load_model(pruned))
    ran = primesvt("evaluate", "hf://ann/small", "--data", data_file, "--images", "20", "--json")
    assert (ran.code, ran.json["images"]) == (0, 20)


def test_of_a_training_only_what_names_no_path_is_uploaded(primesvt, fake: FakeHub, model_dir: Path) -> None:
    assert primesvt("push", model_dir, "ann/whole", "--revision", "v1").code == 0
    place = fake.folder / "ann/whole/v1"
    said = json.loads((place / "training.json").read_text())
    assert set(said) == {"fit_images", "recipe", "selection", "log"}
    assert not (place / "options.toml").exists()
    card = (place / "README.md").read_text()
    assert f"| selection accuracy | {said['selection']['accuracy']:.2%} of" in card
    assert "hf://ann/whole@v1" in card
    assert not was_mirrored("hf://ann/whole@v1"), "fine-tuning mirrors as the training did, wherever the model lies"


def test_a_page_of_ones_own_stays(fake: FakeHub, pruned: Path) -> None:
    (pruned / "README.md").write_text("mine")
    assert api.push(pruned, "ann/small", private=True) == "hf://ann/small"
    assert (fake.folder / "ann/small/main/README.md").read_text() == "mine"
    assert fake.private == {"ann/small"}


def test_a_model_in_memory_is_pushed_as_one_on_disk(fake: FakeHub, make_model) -> None:
    model = make_model()
    assert api.push(model, "ann/made") == "hf://ann/made"
    assert fingerprint(load_model("hf://ann/made")) == fingerprint(model)
    assert "## Layers" in (fake.folder / "ann/made/main/README.md").read_text()


def test_bad_input_is_refused_before_anything_is_uploaded(primesvt, fake: FakeHub, model_dir: Path, tmp_path) -> None:
    ran = primesvt("push", model_dir, "small")
    assert ran.code == 2
    assert "argument OWNER/NAME: 'small' is no name of a model on the hub" in ran.err
    ran = primesvt("push", tmp_path / "nothing", "ann/small")
    assert ran.code == 2
    assert "No model in" in ran.err
    assert not fake.folder.exists()
