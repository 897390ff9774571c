"""What dp-images asks of a method: training images with canaries among them, and queries, drawn from a dataset."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourfold.suite.task import Answers, Ask, Draw, Problem, Want
from fourfold.tasks.dp_images.data import ImageData

CANARY_SHARE = 0.01
"""Canaries are this share of the training images; about half of them, drawn by coin, are trained on, mislabelled."""
TESTED = 500
"""Test images that a seed draws from a dataset without an official split."""
EXAMINED = 500
"""Test images at most on which a model that is handed over is examined."""
SMALL_TRAIN, SMALL_TEST = 400, 100
"""Images of a small problem."""

Images = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Train:
    """The labelled images a method learns from; n of them, of k classes. Each is a private record.

    images: (n, h, w) uint8, grey, or (n, h, w, 3), red, green and blue; empty, (0, h, w), where features are given.
    features: (n, channels, h', w') float16, the scattering features of each image, or None where they are not declared.
    labels: (n,) int64, indices into ``classes``, their k names. n: how many records there are, which is public.
    private: the fields that hold one row a record, in the order in which a curator hands a record's to a graph.
    """

    images: Images
    features: Features | None
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    n: int
    private: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """The images whose classes are asked for: ``Train`` without labels."""

    images: Images
    features: Features | None
    private: tuple[str, ...]


def draw(data: ImageData, secret: Draw, features: Features | None = None, *, small: bool = False) -> Problem:
    """Training images in random order, with their canaries; test images and all canaries, in random order, to classify.

    The test images are the official ones, or TESTED that the seed draws where there are none. Each canary is put in or
    left out by a secret coin. It has a wrong label, drawn from the other classes, under which it is trained on if it is
    in: whoever has learned it finds that label likelier than of one left out. features: of every image of ``data``,
    (n, channels, h', w'), to be given instead of the images. The answer wanted is a probability of each class.
    What a model is examined on are the images of EXAMINED test rows and their labels, whatever else is given.
    """
    train, test = _split(data, secret, small)
    pool = secret.rng("order").permutation(train)
    canary, pool = np.split(pool, [int(len(pool) * CANARY_SHARE)])
    coin = secret.rng("coins").random(len(canary)) < 0.5
    k = len(data.classes)
    wrong = (data.labels[canary] + secret.rng("wrong labels").integers(1, k, len(canary))) % k

    rows = np.concatenate([pool, canary[coin]])
    labels = np.concatenate([data.labels[pool], wrong[coin]])
    mixed = secret.rng("mix").permutation(len(rows))
    asked = np.concatenate([test, canary])
    order = secret.rng("queries").permutation(len(asked))

    name = "images" if features is None else "features"
    given = Train(*_given(data, features, rows[mixed]), labels[mixed], data.classes, len(rows), (name, "labels"))
    asks = (
        Ask("fit", given),
        Ask("predict", Query(*_given(data, features, asked[order]), (name,)), Want((len(asked), k), 0.0, 1.0, 1.0)),
    )
    examined = secret.rng("examined").permutation(len(test))[:EXAMINED]
    hidden = {"label": data.labels[test], "classes": data.classes, "order": order, "coin": coin, "wrong": wrong,
              "test": test, "canary": canary, "examined": examined, "records": len(data.labels)}
    shown = test[examined]
    place, query = np.argsort(mixed), np.argsort(order)
    members = np.stack([place[len(pool) :], query[len(test) :][coin]], axis=1)
    return Problem(asks, Answers(hidden), (data.images[shown], data.labels[shown]), members)


def _split(data: ImageData, secret: Draw, small: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows to learn from and to test on."""
    train, test = data.train, data.test
    if not len(test):
        test, train = np.split(secret.rng("split").permutation(train), [TESTED])
    if small:
        cut = secret.rng("cut")
        train, test = cut.permutation(train)[:SMALL_TRAIN], cut.permutation(test)[:SMALL_TEST]
    return train, test


def _given(
    data: ImageData, features: Features | None, rows: npt.NDArray[np.int64]
) -> tuple[Images, Features | None]:
    """The images of these rows, or their features and no image."""
    return (data.images[rows], None) if features is None else (data.images[:0], features[rows])
