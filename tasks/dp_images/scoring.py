"""How dp-images scores probabilities of classes: how often they are right, how honest, and for which classes."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics import bootstrap, multiclass
from fourfold.suite.task import Draw, Score, Scored

REPLICATES = 200
"""Bootstrap replicates of test images: those that pair methods on the board."""
SAME = 1e-3
"""The most by which a probability of a model that is handed over may differ from the one that was answered."""
GRADIENTS = 0.9
"""The least share of images on which a model must have a gradient, to be said to withstand attacks along it."""
EXAMINED = ("fgsm_accuracy", "pgd_accuracy", "int8_accuracy", "flops", "model_bytes", "int8_bytes")

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def score(hidden: Mapping[str, Any], answer: Floats, draw: Draw) -> Scored:
    """Score one answer (m, k), in the order of the queries, against what the problem kept back.

    Each row is first divided by its sum, which the boundary lets be off by a thousandth.
    """
    straight = np.empty_like(answer)
    straight[hidden["order"]] = answer / answer.sum(axis=1, keepdims=True)
    p, of_canary = np.split(straight, [len(hidden["label"])])
    # An image has the same weights on every seed that tests on it, as its errors there are not independent.
    rng = draw.rng("weights", every_seed=True)
    weights = bootstrap.weights_of_rows(rng, REPLICATES, hidden["records"], hidden["test"])
    scores = [*_accuracy(hidden["label"], p, weights), *_classes(hidden["label"], p, hidden["classes"])]
    return Scored(scores, hidden["coin"], -multiclass.log_losses(hidden["wrong"], of_canary))


def attacked(attack: str, label: Labels, p: Floats) -> Score:
    """Accuracy under ``attack`` (``fgsm``, ``pgd`` or ``int8``): p (n, k), what is then made of the images.

    label: (n,), of these images. A row that is not finite is wrong.
    """
    return _share(f"{attack}_accuracy", multiclass.classified_right(label, p) & np.isfinite(p).all(axis=1))


def examined(hidden: Mapping[str, Any], found: Mapping[str, Any], answer: Floats | None) -> list[Score]:
    """Scores of a model that was handed over, from what ``examination.examine`` found and what ``predict`` answered.

    All are undefined where the model's probabilities are not within SAME of those answered, as it is then another
    model, and where the answer is not at hand (None). Those under attack are undefined, too, where fewer than GRADIENTS
    of the images have a gradient, without which attacks are blind. Attacks may be on the first of the images alone.
    """
    told = None if answer is None else answer[np.argsort(hidden["order"])[hidden["examined"]]]
    clean = found.get("clean", np.empty(0))
    if told is None or clean.shape != told.shape or not (np.abs(clean - told) <= SAME).all():
        return [Score(metric, None) for metric in EXAMINED]
    label, moved = hidden["label"][hidden["examined"]], found["moved"]
    exposed = moved.mean() >= GRADIENTS
    under = [
        attacked(name, label[: len(moved)], found[name]) if exposed else Score(f"{name}_accuracy", None)
        for name in ("fgsm", "pgd")
    ]
    sizes = [Score(name, float(found[name])) for name in ("flops", "model_bytes", "int8_bytes")]
    return [*under, attacked("int8", label, found["int8"]), *sizes]


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
