"""How dp-images scores probabilities of classes: how often they are right, how honest, and for which classes."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics import bootstrap, multiclass
from fourfold.suite.task import Draw, Score, Scored

REPLICATES = 200
"""Bootstrap replicates of test images: those that pair methods on the board."""

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def score(hidden: Mapping[str, Any], answer: Floats, draw: Draw) -> Scored:
    """Score one answer (m, k), in the order of the queries, against what the problem kept back.

    Each row is first divided by its sum, which the boundary lets be off by a thousandth.
    """
    straight = np.empty_like(answer)
    straight[hidden["order"]] = answer / answer.sum(axis=1, keepdims=True)
    p, of_canary = np.split(straight, [len(hidden["label"])])
    weights = bootstrap.poisson_weights(draw.rng("weights"), REPLICATES, len(p))
    scores = [*_accuracy(hidden["label"], p, weights), *_classes(hidden["label"], p, hidden["classes"])]
    return Scored(scores, hidden["coin"], -multiclass.log_losses(hidden["wrong"], of_canary))


def attacked(attack: str, label: Labels, p: Floats) -> Score:
    """Accuracy under ``attack`` (``fgsm`` or ``pgd``): p (n, k), what the method makes of the perturbed images.

    label: (n,), of the images that were perturbed.
    """
    return _share(f"{attack}_accuracy", multiclass.classified_right(label, p))


def _accuracy(label: Labels, p: Floats, weights: npt.NDArray[Any]) -> Iterator[Score]:
    n, right, losses = len(label), multiclass.classified_right(label, p), multiclass.log_losses(label, p)
    replicates = bootstrap.mean_replicates(right, weights)
    yield _share("accuracy", right, replicates=replicates.astype(np.float32))
    low, high = bootstrap.percentile_interval(bootstrap.mean_replicates(losses, weights))
    yield Score("nll", float(losses.mean()), low, high, n)

    residuals = multiclass.calibration_residuals(label, p)
    error = float(multiclass.calibration_error(residuals.sum(axis=0), n))
    again = multiclass.calibration_error(bootstrap.weighted_sums(residuals, weights), weights.sum(axis=1))
    low, high = bootstrap.percentile_interval(again)  # Noise adds to the error: resamples may all lie above it.
    yield Score("ece", error, None if low is None else min(low, error), None if high is None else max(high, error), n)


def _classes(label: Labels, p: Floats, classes: tuple[str, ...]) -> Iterator[Score]:
    """Accuracy of each class, of the worst one, and how far the classes are apart."""
    right = multiclass.classified_right(label, p)
    for place, name in enumerate(classes):
        yield _share("accuracy", right[label == place], f"class={name}")
    counts = multiclass.class_counts(label, right, len(classes))
    yield Score("worst_class_accuracy", *multiclass.worst_class_accuracy(counts), int(counts[:, 1].min()))
    yield Score("class_gap", *multiclass.class_gap(counts), len(label))


def _share(
    metric: str,
    right: npt.NDArray[np.bool_],
    group: str = "",
    replicates: npt.NDArray[np.float32] | None = None,
) -> Score:
    """The share that is right, with Wilson's interval; undefined without records."""
    if not len(right):
        return Score(metric, None, group=group)
    low, high = bootstrap.wilson_interval(right.sum(), len(right))
    return Score(metric, float(right.mean()), float(low), float(high), len(right), group, replicates)
