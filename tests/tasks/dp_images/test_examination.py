"""What is found of a model that is handed over: attacks in closed form, known counts, and models that cheat."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite import evaluate
from fourfold.suite.method import Budget
from fourfold.suite.task import Draw
from fourfold.suite.visit import visit_warm
from fourfold.suite.warm import Parents
from fourfold.tasks.dp_images import DPImages, features
from fourfold.tasks.dp_images.scoring import EXAMINED, attacked, examined

torch = pytest.importorskip("torch")

from fourfold.suite import graph  # noqa: E402
from fourfold.tasks.dp_images import examination as ex  # noqa: E402

functional = torch.nn.functional
RADIUS = 20.0


@pytest.fixture(autouse=True)
def one_thread():
    """As in the suite's process; on a busy machine several wait for each other at every small product."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def parents():
    with Parents() as warm:
        yield warm


def linear(p, x):
    """Softmax regression on an image or its features."""
    return torch.softmax(functional.linear(x.float().flatten(), p["weight"], p["bias"]), 0)


def exported(function, parameters, example):
    return graph.read(graph.export(function, parameters, example))


def grey(n=12, side=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, side, side)).astype(np.uint8), rng.integers(0, 2, n)


def weights(k=2, side=8, scale=0.01, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return {"weight": scale * torch.randn(k, side * side, generator=rng), "bias": torch.zeros(k)}


def odds_of(parameters, function=linear, side=8):
    return ex.odds_against(
        exported(function, parameters, torch.zeros(side, side, dtype=torch.uint8)), parameters, lambda x: x
    )


def worst_case(parameters, x, labels):
    """Of two linear logits, the odds against the label grow fastest along the sign of the weights' difference."""
    slope = parameters["weight"][1 - labels] - parameters["weight"][labels]
    return (x + RADIUS * slope.sign().reshape(x.shape)).clamp(0, ex.WHITE)


@pytest.mark.parametrize("scale", [1e-4, 0.01, 10.0])
def test_attacks_on_a_linear_model_are_the_closed_form_however_certain_it_is(scale):
    """At the last scale the probabilities are exactly 0 and 1, where the cross-entropy itself is flat."""
    images, labels = (torch.from_numpy(each) for each in grey())
    parameters, x = weights(scale=scale), images.float()
    odds = odds_of(parameters)
    worst = worst_case(parameters, x, labels)
    torch.testing.assert_close(ex.fgsm(odds, x, labels, RADIUS), worst)
    torch.testing.assert_close(ex.pgd(odds, x, labels, RADIUS, torch.Generator().manual_seed(1)), worst)


def test_odds_are_those_of_the_probabilities():
    x, labels = torch.rand(9, 8, 8) * 255, torch.arange(9) % 3
    parameters = weights(3, scale=0.001)
    softmax = exported(linear, parameters, x[0])
    p = torch.func.vmap(softmax, (None, 0))(parameters, x)[torch.arange(9), labels]
    for function in (linear, lambda p, x: linear(p, x) * 1, lambda p, x: linear(p, x).log().exp()):
        torch.testing.assert_close(odds_of(parameters, function)(x, labels), ((1 - p) / p).log(), rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 255))
def test_no_attack_leaves_the_ball_or_the_range_of_pixels(seed, radius):
    images, labels = (torch.from_numpy(each) for each in grey(4, seed=seed))
    x, odds = images.float(), odds_of(weights(3, seed=seed))
    for moved in (ex.fgsm(odds, x, labels, radius), ex.pgd(odds, x, labels, radius, torch.Generator())):
        assert float((moved - x).abs().max()) <= radius + 1e-4
        assert float(moved.min()) >= 0
        assert float(moved.max()) <= ex.WHITE


def papernot(p, x):
    """The tanh CNN of Papernot et al. 2020 for 28 x 28 pixels."""
    x = x.float()[None] / 255
    x = functional.max_pool2d(torch.tanh(functional.conv2d(x, p["w1"], p["b1"], stride=2, padding=2)), 2, 1)
    x = functional.max_pool2d(torch.tanh(functional.conv2d(x, p["w2"], p["b2"], stride=2)), 2, 1)
    x = torch.tanh(functional.linear(x.flatten(), p["w3"], p["b3"]))
    return torch.softmax(functional.linear(x, p["w4"], p["b4"]), 0)


def papernots_parameters():
    shapes = [(16, 1, 8, 8), (32, 16, 4, 4), (32, 512), (10, 32)]
    rng = torch.Generator().manual_seed(0)
    return {f"w{i}": torch.randn(shape, generator=rng) / 8 for i, shape in enumerate(shapes, 1)} | {
        f"b{i}": torch.zeros(shape[0]) for i, shape in enumerate(shapes, 1)
    }


def test_the_size_of_a_known_model():
    """26,010 parameters; 2 (13^2 16 64 + 5^2 32 256 + 512 32 + 32 10) operations; 90 channels and as many biases."""
    parameters = papernots_parameters()
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28)).astype(np.uint8)
    model = exported(papernot, parameters, torch.zeros(28, 28, dtype=torch.uint8))
    found = ex.examine(model, parameters, [images, np.arange(6)])
    assert found["flops"] == 789_120
    assert found["model_bytes"] == 4 * 26_010
    assert found["int8_bytes"] == 25_920 + 4 * 90 + 4 * 90
    assert {name: found[name].shape for name in ("clean", "int8", "fgsm", "pgd")} == dict.fromkeys(
        ("clean", "int8", "fgsm", "pgd"), (6, 10)
    )
    assert found["moved"].all()
    assert 0 < np.abs(found["int8"] - found["clean"]).max() < 0.05


def test_quantized_weights_are_torchs_and_within_half_a_step():
    parameters = papernots_parameters() | {"empty": torch.zeros(0, 3), "zero": torch.zeros(2, 3)}
    parameters["w1"][3] = 0  # A channel that is pruned away.
    parameters["w2"] *= 1e-6
    rounded = ex.quantized(parameters)
    for name in ("w1", "w2", "w3", "w4"):
        weight = parameters[name]
        scale = weight.abs().flatten(1).amax(1) / 127
        zero = torch.zeros(len(weight), dtype=torch.int32)
        theirs = torch.fake_quantize_per_channel_affine(weight, scale.clamp_min(1e-30), zero, 0, -127, 127)
        step = scale.reshape(-1, *[1] * (weight.ndim - 1))
        assert ((rounded[name] - weight).abs() <= step * 0.50001).all()
        assert ((rounded[name] - theirs).abs() <= step * 1.00001).all()  # Equal, but for a tie that falls otherwise.
        assert ((rounded[name] - theirs).abs() > step / 2).float().mean() < 1e-3
    assert all(torch.equal(rounded[name], parameters[name]) for name in ("b1", "empty", "zero"))


@pytest.mark.parametrize("shape", [(8, 8), (12, 8, 3)])
def test_a_model_of_scattering_features_is_fed_what_the_method_was_and_attacked_in_pixels(shape, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, *shape)).astype(np.uint8)
    labels = np.arange(6) % 2
    given = torch.from_numpy(np.array(features.features(images, tmp_path).values)).float()
    parameters = {"weight": 0.3 * torch.randn(2, given[0].numel(), generator=torch.Generator().manual_seed(0)),
                  "bias": torch.zeros(2)}
    model = exported(linear, parameters, given[0])
    found = ex.examine(model, parameters, [images, labels])
    told = torch.func.vmap(model, (None, 0))(parameters, given).numpy()
    assert np.abs(found["clean"] - told).max() < 1e-4
    assert found["flops"] == 2 * 2 * given[0].numel()
    own = [found[name][np.arange(6), labels] for name in ("clean", "fgsm", "pgd")]
    assert (own[1] < own[0]).all()
    assert (own[2] < own[0]).all()


def test_a_large_model_is_attacked_on_fewer_images(monkeypatch):
    images, labels = grey(30)
    parameters = weights()
    model = exported(linear, parameters, torch.zeros(8, 8, dtype=torch.uint8))
    whole = ex.examine(model, parameters, [images, labels])
    monkeypatch.setattr(ex, "ATTACK_WORK", 25 * 3 * (ex.PGD_STEPS + 1) * whole["flops"])
    fewer = ex.examine(model, parameters, [images, labels])
    assert [len(each["pgd"]) for each in (whole, fewer)] == [30, 25]
    assert len(fewer["clean"]) == 30
    hidden, answer = asked(labels, fewer["clean"])
    assert {score.metric: score.n for score in examined(hidden, fewer, answer)}["pgd_accuracy"] == 25


def asked(labels, p):
    """What a problem of these images alone keeps back, and the answer p in the order of its queries."""
    order = np.random.default_rng(0).permutation(len(labels))
    return {"order": order, "examined": np.arange(len(labels)), "label": labels}, p[order].astype(float)


def found_of(function, parameters, images, labels):
    example = torch.zeros(images.shape[1:], dtype=torch.uint8)
    return ex.examine(exported(function, parameters, example), parameters, [images, labels])


def scores_of(found, labels, p):
    hidden, answer = asked(labels, p)
    return {score.metric: score for score in examined(hidden, found, answer)}


def test_scores_are_those_of_the_model_that_answered():
    images, labels = grey(40)
    found = found_of(linear, weights(), images, labels)
    scores = scores_of(found, labels, found["clean"])
    assert tuple(scores) == EXAMINED
    assert set(EXAMINED) <= {metric.name for metric in DPImages.metrics}
    for name in ("fgsm", "pgd", "int8"):
        score = scores[f"{name}_accuracy"]
        assert score.value == (found[name].argmax(1) == labels).mean()
        assert score.n == 40
        assert score.low <= score.value <= score.high
    assert scores["flops"].value == 2 * 2 * 64
    assert scores["model_bytes"].value == 4 * (2 * 64 + 2)
    assert scores["int8_bytes"].value == 2 * 64 + 4 * 2 + 4 * 2


def test_a_graph_that_is_not_the_model_has_no_scores():
    images, labels = grey(40)
    found = found_of(linear, weights(), images, labels)
    other = found["clean"].copy()
    other[7] += [2e-3, -2e-3]
    for answer in (other, np.full((40, 2), 0.5), np.full((40, 3), 1 / 3)):
        scores = scores_of(found, labels, answer)
        assert {metric: score.value for metric, score in scores.items()} == dict.fromkeys(EXAMINED)
    assert all(score.value is None for score in examined(asked(labels, other)[0], found, None))
    rounded = scores_of(found, labels, found["clean"].astype(np.float16))
    assert rounded["pgd_accuracy"].value is not None


def far_away(p, x):
    return torch.softmax(functional.linear((x.float() * 0).flatten() / 0, p["weight"], p["bias"]), 0)


@pytest.mark.parametrize(
    "function", [far_away, lambda p, x: linear(p, x)[:1], lambda p, x: linear(p, x)[None], lambda p, x: p["bias"][0]]
)
def test_what_is_no_number_or_no_model_has_no_scores(function):
    images, labels = grey(40)
    found = found_of(function, weights(), images, labels)
    honest = found_of(linear, weights(), images, labels)["clean"]
    assert all(score.value is None for score in scores_of(found, labels, honest).values())


def test_a_graph_of_something_else_is_refused():
    images, labels = grey()
    found = ex.examine(exported(linear, weights(side=6), torch.zeros(6, 6)), weights(side=6), [images, labels])
    assert "no model of the images" in found["refused"]


def edge(p, x):
    """Not a number as soon as a pixel is not whole."""
    x = x.float()
    nothing = x.detach() * 0
    return linear(p, torch.where(x == x.to(torch.int32), x, nothing / nothing))


def test_not_a_number_under_attack_is_wrong():
    images, labels = grey(40)
    found = found_of(edge, weights(), images, labels)
    scores = scores_of(found, labels, found["clean"])
    assert np.isfinite(found["clean"]).all()
    assert scores["pgd_accuracy"].value == 0
    assert attacked("pgd", np.zeros(2, int), np.array([[math.nan, 0.1], [0.9, 0.1]])).value == 0.5


@pytest.mark.parametrize(
    "flat", [lambda x: (x.float() - 127.5).sign(), lambda x: x.to(torch.int32), lambda x: x.float().detach()]
)
def test_a_model_that_hides_its_gradient_has_no_robustness_but_a_size(flat):
    images, labels = grey(40)
    found = found_of(lambda p, x: linear(p, flat(x)), weights(), images, labels)
    scores = scores_of(found, labels, found["clean"])
    assert scores["fgsm_accuracy"].value is scores["pgd_accuracy"].value is None
    assert scores["int8_accuracy"].value == pytest.approx((found["clean"].argmax(1) == labels).mean(), abs=0.1)
    assert scores["flops"].value == 2 * 2 * 64


METHOD = """
import numpy as np
import torch
from torch.nn import functional
from fourfold.suite import Method

class Softmax(Method):
    task = "dp-images"
    features = "{features}"

    def fit(self, train, budget):
        x, y = torch.tensor(np.array(getattr(train, train.private[0]))).float(), torch.tensor(np.array(train.labels))
        self.scale = x.abs().amax()
        self.p = {{"w": torch.zeros(10, x[0].numel(), requires_grad=True), "b": torch.zeros(10, requires_grad=True)}}
        optimizer = torch.optim.Adam(self.p.values(), lr=0.05)
        for _ in range(60):
            logits = functional.linear(x.flatten(1) / self.scale, self.p["w"], self.p["b"])
            functional.cross_entropy(logits, y).backward()
            optimizer.step()
            optimizer.zero_grad()

    def model(self):
        def f(p, x):
            return torch.softmax(functional.linear(x.float().flatten() / p["scale"], p["w"], p["b"]), 0)
        return f, {{**self.p, "scale": self.scale}}

    def predict(self, query):
        f, p = self.model()
        x = torch.tensor(np.array(getattr(query, query.private[0]))).float()
        with torch.no_grad():
            return torch.func.vmap(f, in_dims=(None, 0))(p, x / {shrunk}).double().numpy()
"""


@pytest.mark.parametrize(("kind", "shrunk"), [("pixels", 1), ("scattering", 1), ("pixels", 2)])
def test_a_method_is_examined_in_a_process_of_the_suites(kind, shrunk, parents, tmp_path, monkeypatch):
    """The last one answers by another model than it hands over."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "softmax.py").write_text(METHOD.format(features=kind, shrunk=shrunk))
    task, draw = DPImages(), Draw(b"0123456789abcdef", "dp-images", "digits", 0)
    options = {"features": kind, "access": "records"}
    problem = task.draw(task.load("digits", Path("nowhere")), draw, options, small=True)
    hidden = problem.answers.hidden
    assert np.array_equal(problem.examined[1], hidden["label"][hidden["examined"]])
    assert len(set(hidden["examined"])) == len(problem.examined[0]) == 100
    curation = evaluate.curated(draw, "cell", task, problem, options)
    seen = visit_warm(parents, ("torch",), sys.executable, str(tmp_path / "softmax.py"), "Softmax", {}, Budget(),
                      problem.asks, curation)
    assert (seen.status, seen.reason) == ("ok", "")
    scores = {score.metric: score for score in task.examined(problem, seen.found, seen.answers)}
    assert tuple(scores) == EXAMINED
    if shrunk != 1:
        assert all(score.value is None for score in scores.values())
        return
    scored = task.score(problem, seen.answers, options, Budget(), draw)
    clean = {score.metric: score for score in scored.scores if not score.group}
    assert 0 <= scores["pgd_accuracy"].value <= scores["fgsm_accuracy"].value + 0.05
    assert scores["fgsm_accuracy"].value < clean["accuracy"].low
    assert clean["accuracy"].value > 0.8
    assert scores["int8_accuracy"].value == pytest.approx(clean["accuracy"].value, abs=0.03)
    assert scores["pgd_accuracy"].n == 100
    assert task.examined(problem, {}, seen.answers) == ()
