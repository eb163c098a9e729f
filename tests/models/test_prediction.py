"""What a model answers on a set of images."""

import numpy as np
import pytest
import torch
from torch import nn

from primesvt.models import (
    ArrayImages,
    DataSet,
    ImageSet,
    Predictions,
    PrimeSVTError,
    evaluation_mode,
    fingerprint,
    named_config,
    predict,
    wilson,
)
from primesvt.models.prediction import batch_size_of

from ..conftest import replace


def test_predictions() -> None:
    predictions = Predictions(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), np.zeros((4, 3), np.float32), 0.5)
    assert predictions.right == 3
    assert predictions.accuracy == 0.75
    assert predictions.interval == wilson(3, 4)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_predict_answers_in_the_order_of_the_set(make_model, family: str, data: DataSet, batch_size: int) -> None:
    model = make_model(family)
    seen: list[int] = []
    predictions = predict(model, data.selection, batch_size=batch_size, on_batch=seen.append)
    images, labels = data.selection.read(model.config, data.selection.indices)
    with torch.no_grad():
        assert predictions.classes.tolist() == model(images).argmax(1).tolist()
    assert len(set(predictions.classes.tolist())) > 1
    assert predictions.labels.tolist() == labels.tolist()
    assert sum(seen) == len(data.selection)
    assert max(seen) <= batch_size
    assert predictions.seconds > 0


def test_predict_stops_when_it_is_enough(make_model, data: DataSet) -> None:
    model = make_model()
    whole = predict(model, data.selection, batch_size=4)
    asked: list[tuple[list[int], list[int]]] = []
    seen: list[int] = []

    def enough(classes: np.ndarray, labels: np.ndarray) -> bool:
        asked.append((classes.tolist(), labels.tolist()))
        return len(labels) >= 10

    some = predict(model, data.selection, batch_size=4, on_batch=seen.append, enough=enough)
    assert seen == [4, 4, 4]
    assert asked == [(whole.classes[:n].tolist(), whole.labels[:n].tolist()) for n in (4, 8, 12)]
    assert (some.classes.tolist(), some.labels.tolist()) == asked[-1]
    assert some.right == int((whole.classes[:12] == whole.labels[:12]).sum())
    never = predict(model, data.selection, batch_size=4, enough=lambda _c, _l: False)
    assert never.classes.tolist() == whole.classes.tolist()


def test_the_order_of_the_classes_does_not_change_the_accuracy(make_model, data: DataSet) -> None:
    model = make_model("spikformer")
    expected = predict(model, data.test)
    order = [2, 0, 1]
    names = tuple(data.classes[i] for i in order)
    model.config = replace(model.config, classes=names)
    model.head.weight.data, model.head.bias.data = model.head.weight.data[order], model.head.bias.data[order]
    swapped = predict(model, data.test)
    assert swapped.right == expected.right > 0
    assert [names[c] for c in swapped.classes] == [data.classes[c] for c in expected.classes]


def test_predicting_changes_nothing(make_model, family: str, data: DataSet) -> None:
    model = make_model(family)
    expected = predict(model, data.selection)
    before = fingerprint(model)
    model.train()
    assert predict(model, data.selection).classes.tolist() == expected.classes.tolist()
    assert model.training
    assert fingerprint(model) == before


def test_the_mode_comes_back_after_an_error(make_model) -> None:
    model = make_model().train()

    def fail() -> None:
        with evaluation_mode(model):
            assert not model.training
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert model.training


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_models_of_other_dtypes(make_model, data: DataSet, dtype: torch.dtype) -> None:
    assert len(predict(make_model().to(dtype), data.selection).classes) == len(data.selection)


def test_event_sequences(make_model, family: str) -> None:
    events = np.random.default_rng(0).random((10, 3, 1, 8, 8), dtype=np.float32)
    images = ImageSet("test", ArrayImages(events), np.arange(10) % 3, np.arange(10), ("a", "b", "c"))
    model = make_model(family)
    expected = model((torch.from_numpy(events).transpose(0, 1) - 0.5) / 0.5).argmax(1)
    assert predict(model, images, batch_size=4).classes.tolist() == expected.tolist()


def test_what_cannot_be_predicted(make_model, data: DataSet) -> None:
    with pytest.raises(PrimeSVTError, match="Linear is no model of PrimeSVT"):
        predict(nn.Linear(1, 1), data.selection)
    model = make_model()
    model.config = replace(model.config, image_size=(9, 9))
    with pytest.raises(PrimeSVTError, match="but the model reads 9x9 pixels"):
        predict(model, data.selection)


def test_large_images_are_asked_a_few_at_a_time() -> None:
    small = named_config("sdt-2-512", time_steps=1)
    assert batch_size_of(small) == 64
    assert batch_size_of(replace(small, time_steps=4, image_size=(224, 224))) == 20
    assert batch_size_of(replace(small, time_steps=100, image_size=(512, 512))) == 8
