"""Pruning by a plan, and repair: with the plan, and of what was pruned already."""

import json
import re

import pytest

import primesvt as notebook
from primesvt.models import fingerprint, int8_bytes, load_model, stored_bytes
from primesvt.pruning import load_plan

PLAN = {"ratios": {"blocks.0.hidden": 0.5, "stem.3": 0.25}}


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(PLAN))
    return file


def test_a_repair_is_reported(primesvt, model_dir, data_file, plan, tmp_path) -> None:
    command = ("prune", model_dir, "--plan", plan, "--data", data_file, "--json", "-o")
    plain = primesvt(*command, tmp_path / "plain").json
    repaired = primesvt(*command, tmp_path / "repaired", "--repair", "least-squares,norm").json
    assert plain["repair"] == []
    assert [report["step"] for report in repaired["repair"]] == ["least-squares", "norm"]
    for report in repaired["repair"]:
        assert report["layers"] > 0
        assert report["seconds"] > 0
        assert report["error_after"] <= report["error_before"]
    assert repaired["bytes_after"] == plain["bytes_after"], "a repair costs no byte"
    # Beside the model lie the plan as it was applied, and how to do the same again.
    assert load_plan(tmp_path / "repaired" / "plan.json").repair == ("least-squares", "norm")
    again = primesvt("prune", "--config", tmp_path / "repaired" / "options.toml", "-o", tmp_path / "again")
    assert again.code == 0
    assert fingerprint(load_model(tmp_path / "again")) == fingerprint(load_model(tmp_path / "repaired"))
    options = ("--plan", plan, "--data", data_file, "--repair", "norm")
    assert "error before" in primesvt("prune", model_dir, *options, "-o", tmp_path / "words").out


def test_the_plan_may_name_the_steps_and_an_option_overrides_it(primesvt, model_dir, data_file, tmp_path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({**PLAN, "repair": ["norm"]}))
    command = ("prune", model_dir, "--plan", file, "--data", data_file, "--json", "-o")
    assert [r["step"] for r in primesvt(*command, tmp_path / "a").json["repair"]] == ["norm"]
    assert primesvt(*command, tmp_path / "b", "--repair", "none").json["repair"] == []


def test_a_branch_goes_by_the_ratio_one(primesvt, model_dir, data_file, tmp_path) -> None:
    file = tmp_path / "plan.json"
    command = ("prune", model_dir, "--plan", file, "--data", data_file, "--repair", "mean", "-o")
    file.write_text(json.dumps({"ratios": {"blocks.0.hidden": 1.0, "stem.3": 0.25}}))
    failed = primesvt(*command, tmp_path / "part")
    assert (failed.code, "give blocks.0.output the ratio 1, too" in failed.err) == (2, True)
    file.write_text(json.dumps({"ratios": {"blocks.0.hidden": 1, "blocks.0.output": 1, "stem.3": 0.25}}))
    assert primesvt(*command, tmp_path / "model").code == 0
    layers = primesvt("layers", tmp_path / "model", "--json").json["layers"]
    assert {layer["branch"] for layer in layers} == {None, "blocks.0.mixer"}
    assert "blocks.0.mixer: blocks.0.attention, blocks.0.projection" in primesvt("layers", tmp_path / "model").out
    # By the plan, and by the weights alone.
    repair = ("repair", tmp_path / "model", "--original", model_dir, "--data", data_file, "--repair", "mean")
    assert primesvt(*repair, "--plan", file, "-o", tmp_path / "a").code == 0
    assert primesvt(*repair, "-o", tmp_path / "b").code == 0
    assert fingerprint(load_model(tmp_path / "a")) == fingerprint(load_model(tmp_path / "b"))


def test_layers_and_multiples_of_a_plan_may_be_said(primesvt, model_dir, plan, tmp_path) -> None:
    command = ("prune", model_dir, "--plan", plan, "--json", "-o")

    def widths(name: str, *more: object) -> dict[str, int]:
        assert primesvt(*command, tmp_path / name, *more).code == 0
        return json.loads((tmp_path / name / "config.json").read_text())["widths"]

    whole, cut = widths("whole", "--layers", "stem.3", "--multiple", "32"), widths("cut")
    assert whole["blocks.0.hidden"] == 2 * cut["blocks.0.hidden"]
    assert whole["stem.3"] == 16
    assert widths("spared", "--exclude-layers", "blocks.*") == {**cut, "blocks.0.hidden": whole["blocks.0.hidden"]}
    assert widths("multiple", "--multiple", "8")["stem.3"] == 16
    assert (cut["stem.3"], widths("plan", "--layers", "stem.*")["stem.3"]) == (12, 12)
    ran = primesvt(*command, tmp_path / "none", "--exclude-layers", "stem.*,blocks.*")
    assert ran.code == 2
    assert "No layer is left to prune: exclude-layers stem.*,blocks.* leave none." in ran.err
    assert not (tmp_path / "none").exists()


def test_what_is_pruned_already_is_repaired_to_the_same_bytes(primesvt, model_dir, data_file, plan, tmp_path) -> None:
    """The channels that it kept are found by its weights, or by its plan."""
    data = ("--data", data_file)
    primesvt("prune", model_dir, "--plan", plan, "-o", tmp_path / "pruned")
    primesvt("prune", model_dir, "--plan", plan, *data, "--repair", "least-squares", "-o", tmp_path / "at-once")
    expected = (tmp_path / "at-once" / "model.safetensors").read_bytes()
    for name, more in (("found", ()), ("told", ("--plan", plan))):
        ran = primesvt(
            "repair", tmp_path / "pruned", "--original", model_dir, *data, *more, "-o", tmp_path / name, "--json"
        )
        assert not ran.code, ran.err
        assert [report["step"] for report in ran.json["repair"]] == ["least-squares"]
        assert (tmp_path / name / "model.safetensors").read_bytes() == expected
        assert (tmp_path / name / "plan.json").read_bytes() == (tmp_path / "at-once" / "plan.json").read_bytes()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("--repair", "prayer"), "Unknown repair step 'prayer'; known are mean, norm, least-squares"),
        (("--repair", "none"), "nothing to do without a step"),
        (("--calibration", "5000"), "1 to 1,024, got 5000"),
        (("--calibration", "0"), "got 0"),
        (("--plan", "{other}"), "was not pruned by"),
        (("--original", "{pruned}"), "nothing"),
    ],
)
def test_bad_input_ends_with_a_line(primesvt, model_dir, data_file, plan, tmp_path, more, text) -> None:
    primesvt("prune", model_dir, "--plan", plan, "-o", tmp_path / "pruned")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"ratios": {"stem.1": 0.5}}))
    more = [part.format(other=other, pruned=tmp_path / "pruned") for part in more]
    ran = primesvt(
        "repair", tmp_path / "pruned", "--original", model_dir, "--data", data_file, *more, "-o", tmp_path / "r"
    )
    if text == "nothing":
        assert ran.code == 0, "a model is its own original: nothing is removed, and nothing broken"
        return
    assert ran.code == 2
    assert text in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_weights_are_stored_in_a_byte_each(primesvt, model_dir, data_file, plan, tmp_path) -> None:
    command = ("prune", model_dir, "--plan", plan, "--quantize", "int8")
    ran = primesvt(*command, "-o", tmp_path / "small", "--json").json
    assert ran["int8"]["bytes_after"] == stored_bytes(tmp_path / "small") < ran["bytes_after"]
    assert ran["int8"]["bytes_before"] == int8_bytes(load_model(model_dir)) < ran["bytes_before"]
    assert ran["int8"]["memory_saving"] == 1 - ran["int8"]["bytes_after"] / ran["bytes_before"]
    against = primesvt("evaluate", tmp_path / "small", "--against", model_dir, "--data", data_file, "--json").json
    assert against["against"]["bytes"] == [ran["int8"]["bytes_after"], ran["bytes_before"]]
    text = primesvt(*command, "-o", tmp_path / "again").out
    assert re.search(r"weights as int8 +[\d,]+ \(\d+\.\d+% saved\) +[\d,]+ \(\d+\.\d+% saved\)", text)
    made = notebook.prune(model_dir, plan, quantize="int8", quiet=True).model
    assert fingerprint(made) == fingerprint(load_model(tmp_path / "small"))
