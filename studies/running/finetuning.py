"""Fine-tuning a pruned model: by its original's answers, and never to a worse one."""

from dataclasses import dataclass, replace

from torch import nn

from primesvt.models import DataSet, Predictions, Recipe, device_model, predict, settle

from .train_run import TrainJob, TrainRun, run_training

# Gentle. Where there is a teacher, its answers alone count: they say more than the labels, which the model has learnt
# already. Where there is none, plain cross-entropy, which is the paper's way. The learning rate is that of repaired
# models: a third of it gave less on three of them that had lost much, see the README.
GENTLE = Recipe(
    epochs=3,
    learning_rate=1e-3,
    weight_decay=0.0,
    label_smoothing=0.0,
    flip=False,
    shift=0,
    distillation=1.0,
    frozen_statistics=True,
)


@dataclass(frozen=True)
class FineTuned:
    """What a fine-tuning did.

    Args:
        before: What the model answered before on the selection set.
        run: The training, with what it answers now.
    """

    before: Predictions
    run: TrainRun


def fine_tune(job: TrainJob, model: nn.Module, data: DataSet, teacher: nn.Module | None = None) -> FineTuned:
    """Train a model a little, and write it; where no epoch makes it better on the selection set, it stays as it was.

    Args:
        job: What is asked for; the weight of a teacher's answers counts where there is one.
        model: The pruned model, changed in place.
        data: Its fit set is learnt.
        teacher: A model to learn from, such as the unpruned one.

    Raises:
        PrimeSVTError: As in :func:`~primesvt.studies.running.train_run.run_training`.
    """
    before = predict(device_model(model, job.device), data.selection)
    job = replace(
        job,
        recipe=job.recipe if teacher else replace(job.recipe, distillation=0.0),
        facts={**job.facts, "accuracy_before": before.accuracy},
        start=before.accuracy,
    )
    if not job.recipe.frozen_statistics:
        settle(model, data.fit, compensate=True)
    return FineTuned(before, run_training(job, model, data, teacher))
