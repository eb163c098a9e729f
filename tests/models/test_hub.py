"""Names of models on the hub, and what is said where one cannot be had."""

import shutil
import sys
from pathlib import Path

import pytest

from primesvt.models import HubName, PrimeSVTError, fingerprint, load_model, save_model, upload

from . import fake_hub
from .fake_hub import FakeHub, error, errors


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHub:
    """A hub with nothing on it."""
    return fake_hub.install(monkeypatch, tmp_path / "hub")


def put(fake: FakeHub, model, place: str = "ann/small/main") -> Path:
    """A model on the hub, beside what PrimeSVT does not want."""
    save_model(model, fake.folder / place)
    (fake.folder / place / "video.mp4").write_text("large")
    return fake.folder / place


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hf://ann/small", HubName("ann/small")),
        ("ann/small.2-b_c", HubName("ann/small.2-b_c")),
        ("hf://ann/small@refs/pr/1", HubName("ann/small", "refs/pr/1")),
    ],
)
def test_names_are_read_and_written(text: str, name: HubName) -> None:
    assert HubName.read(text) == name
    assert HubName.read(str(name)) == name


@pytest.mark.parametrize("text", ["hf://small", "hf://ann/small@", "hf://a/b/c", "ann/sm all", "hf:///b", ""])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(
        PrimeSVTError, match=r"is no name of a model on the hub; expected OWNER/NAME or hf://OWNER/NAME, with @REV"
    ):
        HubName.read(text)


def test_a_model_of_the_hub_is_loaded_by_its_name(fake: FakeHub, make_model) -> None:
    main, other = make_model(), make_model(seed=1)
    put(fake, main)
    put(fake, other, "ann/small/v2")
    assert fingerprint(load_model("hf://ann/small")) == fingerprint(main)
    assert fingerprint(load_model("hf://ann/small@v2")) == fingerprint(other)
    assert set(fake.fetched) == {"config.json", "model.safetensors"}


def test_of_another_model_only_the_configuration_is_fetched(fake: FakeHub, make_model) -> None:
    (put(fake, make_model()) / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(PrimeSVTError, match=r"hf://ann/small holds no model of PrimeSVT: its config\.json names"):
        load_model("hf://ann/small")
    assert fake.fetched == ["config.json"]
    (fake.folder / "ann/small/main/config.json").unlink()
    shutil.rmtree(fake.folder / "cache")
    with pytest.raises(PrimeSVTError, match="or is missing"):
        load_model("hf://ann/small")


def test_what_is_not_there_is_said(fake: FakeHub, make_model) -> None:
    with pytest.raises(PrimeSVTError, match="There is no model ann/small on the hub, or it is private; where it is"):
        load_model("hf://ann/small")
    put(fake, make_model())
    with pytest.raises(PrimeSVTError, match="ann/small is on the hub, but has no revision 'v3'"):
        load_model("hf://ann/small@v3")


@pytest.mark.parametrize(
    ("failure", "what"),
    [
        (ConnectionError("no route"), r"The hub does not answer for hf://ann/small: no route\. Check the network"),
        (error(errors.GatedRepoError, 403), "is for those whom its owner lets in: ask on its page"),
        (error(errors.HfHubHTTPError, 403, "Forbidden"), "refused hf://ann/small: Forbidden. Your token may not"),
        (error(errors.HfHubHTTPError, 500, "Oops"), r"The hub refused hf://ann/small: Oops\.$"),
        (errors.HFValidationError("too long"), "The hub takes no such name as hf://ann/small: too long"),
    ],
)
def test_a_hub_that_fails_is_told_in_a_line(fake: FakeHub, failure: Exception, what: str) -> None:
    fake.failure = failure
    with pytest.raises(PrimeSVTError, match=what):
        load_model("hf://ann/small")
    with pytest.raises(PrimeSVTError, match=what):
        upload(HubName("ann/small"), {"a": b"b"})


def test_without_a_token_nothing_is_uploaded(fake: FakeHub) -> None:
    fake.token = None
    with pytest.raises(PrimeSVTError, match="The hub takes no model without a token: log in with `hf auth login`, or"):
        upload(HubName("ann/small"), {"a": b"b"})
    assert not fake.folder.exists()


def test_a_model_that_is_to_be_private_is_not_made_public(fake: FakeHub) -> None:
    upload(HubName("ann/open"), {"a": b"b"})
    with pytest.raises(PrimeSVTError, match="ann/open is there already, and is public: nothing was uploaded"):
        upload(HubName("ann/open"), {"a": b"c"}, private=True)
    assert (fake.folder / "ann/open/main/a").read_bytes() == b"b"
    upload(HubName("ann/closed"), {"a": b"d"}, private=True)
    assert fake.private == {"ann/closed"}


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(PrimeSVTError, match=r"needs the module huggingface_hub, .* pip install 'primesvt\[hub\]'"):
        load_model("hf://ann/small")
