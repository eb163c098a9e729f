"""Membranes and spikes by hand."""

from primesvt.pruning import InferenceState, PruningPlan, inference_state, measure_named, prune


def test_bytes_of_neurons() -> None:
    state = InferenceState(neurons=17)
    assert (state.membrane_bytes, state.spike_bytes) == (68, 3)


def test_a_pruned_layer_takes_its_neurons_along(make_model) -> None:
    model = make_model()
    fewer = prune(model, PruningPlan({"blocks.0.hidden": 0.5}))
    # 16 channels fewer on 2x2 tokens.
    assert inference_state(model).neurons - inference_state(fewer).neurons == 16 * 4
    saved = measure_named("state-bytes").of(model) - measure_named("state-bytes").of(fewer)
    assert saved == 16 * 4 * 4 + 16 * 4 / 8
