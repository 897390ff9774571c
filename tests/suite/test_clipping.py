"""Clipped sums are those of a loop over the examples, whatever is written down and whatever is not."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite.clipping import clipped_sum, ghost_layers, lengths
from fourfold.suite.graph import GraphError, export, read

torch = pytest.importorskip("torch")
F = torch.nn.functional
CLASSES = 3


def modules():
    """The architectures, by name, with the shape of one input."""
    torch.manual_seed(0)
    return {
        "linear": (torch.nn.Linear(7, CLASSES), (7,)),
        "mlp": (
            torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.Tanh(), torch.nn.Linear(5, CLASSES, bias=False)),
            (7,),
        ),
        "cnn": (
            torch.nn.Sequential(
                torch.nn.Conv2d(1, 4, 5, 2, padding=2), torch.nn.Tanh(), torch.nn.MaxPool2d(2, 1),
                torch.nn.Conv2d(4, 6, 3, 2), torch.nn.GroupNorm(2, 6), torch.nn.ReLU(), torch.nn.Flatten(),
                torch.nn.Linear(24, 5), torch.nn.Tanh(), torch.nn.Linear(5, CLASSES),
            ),
            (1, 14, 14),
        ),
    }  # fmt: skip


def parameters_of(module):
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def graph_of(module, shape):
    def loss(parameters, x, y):
        return F.cross_entropy(torch.func.functional_call(module, parameters, (x[None],))[0], y)

    return read(export(loss, parameters_of(module), torch.zeros(shape), torch.tensor(0)))


def batch(size, shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn((size, *shape), generator=generator),
        torch.randint(0, CLASSES, (size,), generator=generator),
    )


def loop(function, parameters, record, clip):
    """The definition: one backward pass an example, in double precision."""
    leaves = {name: tensor.double().requires_grad_() for name, tensor in parameters.items()}
    sums, norms = {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}, []
    for example in zip(*record, strict=True):
        doubles = [field.double() if field.is_floating_point() else field for field in example]
        found = torch.autograd.grad(function(leaves, *doubles), list(leaves.values()), allow_unused=True)
        found = [torch.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves.values(), strict=True)]
        norms.append(torch.cat([g.flatten() for g in found]).norm())
        for name, gradient in zip(leaves, found, strict=True):
            sums[name] = sums[name].detach() + gradient * min(1.0, clip / norms[-1])
    return sums, torch.stack(norms) if norms else torch.zeros(0)


def assert_close(ours, theirs, tolerance=1e-5):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value.double(), theirs[name].double(), rtol=tolerance, atol=tolerance, msg=name)


def test_layers_on_one_vector_a_record_are_recognized():
    found = {name: ghost_layers(graph_of(*modules()[name])) for name in modules()}
    assert [layer[1:] for layer in found["linear"]] == [("weight", "bias")]
    assert [layer[1:] for layer in found["mlp"]] == [("0.weight", "0.bias"), ("2.weight", None)]
    assert [layer[1:] for layer in found["cnn"]] == [("7.weight", "7.bias"), ("9.weight", "9.bias")]


@pytest.mark.parametrize("name", ["linear", "mlp", "cnn"])
@pytest.mark.parametrize("chunk", [None, 1, 4, 11])
def test_it_is_the_loop_over_the_examples(name, chunk):
    module, shape = modules()[name]
    graph, parameters, record = graph_of(module, shape), parameters_of(module), batch(11, shape)
    _, norms = clipped_sum(graph, parameters, record, 1.0)
    clip = float(norms.median())  # Some are clipped and some are not.
    ours, norms = clipped_sum(graph, parameters, record, clip, chunk)

    def in_double(leaves, x, y):
        logits = torch.func.functional_call(module.double(), leaves, (x[None],))
        return F.cross_entropy(logits[0], y)

    theirs, their_norms = loop(in_double, parameters, record, clip)
    assert_close(ours, theirs)
    torch.testing.assert_close(norms.double(), their_norms, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["hooks", "ghost"])
@pytest.mark.parametrize("name", ["linear", "mlp", "cnn"])
def test_it_is_what_opacus_computes(name, mode):
    samples = pytest.importorskip("opacus.grad_sample")
    module, shape = modules()[name]
    graph, parameters, (x, y) = graph_of(module, shape), parameters_of(module), batch(9, shape)
    clip = float(clipped_sum(graph, parameters, (x, y), 1.0)[1].median())
    if mode == "hooks":
        wrapped = samples.GradSampleModule(module, loss_reduction="sum")
        F.cross_entropy(wrapped(x), y, reduction="sum").backward()
        norms = torch.stack([p.grad_sample.flatten(1).norm(dim=1) for p in module.parameters()]).norm(dim=0)
        scale = (clip / norms).clamp(max=1)
        theirs = {key: torch.tensordot(scale, p.grad_sample, 1) for key, p in module.named_parameters()}
    else:
        wrapped = samples.GradSampleModuleFastGradientClipping(
            module, max_grad_norm=clip, use_ghost_clipping=True, loss_reduction="sum"
        )
        losses = F.cross_entropy(wrapped(x), y, reduction="none")
        losses.sum().backward(retain_graph=True)
        scale = wrapped.get_clipping_coef()
        wrapped.zero_grad()
        wrapped.disable_hooks()
        (losses * scale).sum().backward()
        theirs = {key: p.grad for key, p in module.named_parameters()}
    assert_close(clipped_sum(graph, parameters, (x, y), clip)[0], theirs)


def shared(p, x, y):
    """A weight in two layers, a bias in two, one used as a number too; a layer on rows, and one on a vector of ours."""
    rows = F.linear(x.reshape(2, 3), p["rows"], p["both"])
    h = torch.tanh(F.linear(rows.sum(0), p["twice"], p["both"]))
    h = F.linear(h, p["twice"], p["own"]) + F.linear(p["own_input"], p["constant"]) + p["used"].sum()
    return F.cross_entropy(F.linear(h, p["used"]), y) + 0.0 * p["own_input"].sum()


SHARED = {"rows": (4, 3), "both": (4,), "twice": (4, 4), "own": (4,), "own_input": (2,), "constant": (4, 2),
          "used": (3, 4), "unused": (2, 2)}  # fmt: skip


def test_a_parameter_with_another_use_is_written_down():
    parameters = {
        name: torch.randn(shape, generator=torch.Generator().manual_seed(2)) for name, shape in SHARED.items()
    }
    graph = read(export(shared, parameters, torch.zeros(6), torch.tensor(0)))
    assert [layer[1:] for layer in ghost_layers(graph)] == [("constant", None)]
    record = batch(6, (6,))
    theirs, norms = loop(shared, parameters, record, 2.0)
    ours, our_norms = clipped_sum(graph, parameters, record, 2.0)
    assert_close(ours, theirs, 1e-4)
    torch.testing.assert_close(our_norms.double(), norms, rtol=1e-4, atol=1e-4)
    assert not ours["unused"].any()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4), st.booleans(), st.integers(0, 7), st.integers(1, 8),
    st.floats(1e-3, 1e3),
)  # fmt: skip
def test_any_widths_batches_chunks_and_clips(widths, biased, size, chunk, clip):
    pairs = list(itertools.pairwise(widths))

    def loss(p, x, y):
        for index in range(len(pairs)):
            x = torch.tanh(F.linear(x, p[f"w{index}"], p.get(f"b{index}")))
        return (x - y).square().sum()

    generator = torch.Generator().manual_seed(size)
    parameters = {f"w{i}": torch.randn((b, a), generator=generator) for i, (a, b) in enumerate(pairs)}
    if biased:
        parameters |= {f"b{i}": torch.randn(b, generator=generator) for i, (_, b) in enumerate(pairs)}
    record = torch.randn((size, widths[0]), generator=generator), torch.randn(size, generator=generator)
    graph = read(export(loss, parameters, torch.zeros(widths[0]), torch.tensor(0.0)))
    ours, norms = clipped_sum(graph, parameters, record, clip, chunk)
    theirs, their_norms = loop(loss, parameters, record, clip)
    assert_close(ours, theirs, 1e-4)
    torch.testing.assert_close(norms.double(), their_norms.double(), rtol=1e-4, atol=1e-4)
    total = torch.cat([value.flatten() for value in ours.values()]).norm()
    assert total <= size * clip * (1 + 1e-5)


def test_an_empty_batch_gives_zeros():
    module, shape = modules()["cnn"]
    parameters = parameters_of(module)
    sums, norms = clipped_sum(graph_of(module, shape), parameters, batch(0, shape), 1.0)
    assert norms.shape == (0,)
    assert all(sums[name].shape == value.shape and not sums[name].any() for name, value in parameters.items())


def test_stored_numbers_are_cast_to_what_the_graph_declares():
    module, shape = modules()["mlp"]
    graph, parameters, (x, y) = graph_of(module, shape), parameters_of(module), batch(6, shape)
    halves = clipped_sum(graph, parameters, (x.half(), y.to(torch.uint8)), 0.5)
    singles = clipped_sum(graph, parameters, (x.half().float(), y), 0.5)
    assert all(torch.equal(halves[0][name], singles[0][name]) for name in parameters)
    assert halves[0]["0.weight"].dtype == torch.float32
    assert torch.equal(halves[1], singles[1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_an_example_without_a_finite_norm_adds_nothing_and_moves_no_other(bad, name):
    def loss(p, x, y):  # Unbounded, so that a large record has a gradient beyond float32.
        h = torch.func.functional_call(module, p, (x[None],))[0]
        return (
            F.cross_entropy(h, y) + (F.conv2d(x, p["0.weight"]) if x.dim() == 3 else F.linear(x, p["0.weight"])).sum()
        )

    module, shape = modules()[name]
    parameters, (x, y) = parameters_of(module), batch(5, shape)
    graph = read(export(loss, parameters, torch.zeros(shape), torch.tensor(0)))
    x[2] = bad
    ours, norms = clipped_sum(graph, parameters, (x, y), 0.7)
    others = torch.tensor([0, 1, 3, 4])
    theirs, _ = clipped_sum(graph, parameters, (x[others], y[others]), 0.7)
    assert not norms[2].isfinite()
    assert_close(ours, theirs, 1e-6)


def test_no_example_moves_the_sum_by_more_than_the_clip():
    module, shape = modules()["cnn"]
    graph, parameters, (x, y) = graph_of(module, shape), parameters_of(module), batch(8, shape)
    x[3] *= 1e4
    with_it, norms = clipped_sum(graph, parameters, (x, y), 1e-2)
    kept = torch.arange(8) != 3
    without, _ = clipped_sum(graph, parameters, (x[kept], y[kept]), 1e-2)
    moved = torch.cat([(with_it[name] - without[name]).flatten() for name in parameters]).norm()
    assert norms[3] > 1e-2
    assert float(moved) == pytest.approx(1e-2, rel=1e-3)


@pytest.mark.parametrize(("small", "large"), [(1e-24, 1e19), (1e-20, 1e18), (1e-30, 1e18)])
def test_inputs_whose_squares_underflow_do_not_slip_through_the_clip(small, large):
    """The norm of such an input is 0 in single precision, and that of its gradient with it."""

    def loss(p, x):
        return F.linear(x * small, p["w"]).sum() * (large / 1e9) * 1e9

    parameters = {"w": torch.zeros(1, 50)}
    graph = read(export(loss, parameters, torch.zeros(50)))
    sums, _ = clipped_sum(graph, parameters, (torch.ones(1, 50),), 1e-6)
    assert float(sums["w"].double().norm()) <= 1e-6 * (1 + 1e-5)


@pytest.mark.parametrize("norm", [1e25, 1e29, 3e30, 1e36])
def test_a_very_long_gradient_is_clipped_or_adds_nothing(norm):
    def loss(p, x):
        return F.linear(x * 1e18, p["w"]).sum() * (norm / 1e18)

    parameters = {"w": torch.zeros(1, 1)}
    graph = read(export(loss, parameters, torch.zeros(1)))
    sums, norms = clipped_sum(graph, parameters, (torch.ones(1, 1),), 1e-6)
    assert float(sums["w"]) == pytest.approx(1e-6 if norm < 1e30 else 0.0, rel=1e-5)
    assert bool(norms.isfinite()) == (norm < 1e30)


@pytest.mark.parametrize("size", [0, 1, 70_000, 1 << 20])
def test_no_length_is_short_of_its_row(size):
    row = torch.full((2, size), 0.7)
    assert (lengths(row).double() >= row.double().norm(dim=1) * (1 - 2e-5)).all()


def test_what_cannot_be_clipped_is_refused():
    module, shape = modules()["linear"]
    parameters, record = parameters_of(module), batch(4, shape)
    graph = graph_of(module, shape)
    model = read(export(lambda p, x: F.linear(x, p["weight"], p["bias"]), parameters, torch.zeros(shape)))
    with pytest.raises(GraphError, match=r"has shape \(3,\)"):
        clipped_sum(model, parameters, record[:1], 1.0)
    with pytest.raises(GraphError, match="has 1 fields; the graph asks for 2"):
        clipped_sum(graph, parameters, record[:1], 1.0)
    for clip in (0.0, -1.0, float("nan"), float("inf"), 1e-30, 1e38):
        with pytest.raises(ValueError, match="positive, finite"):
            clipped_sum(graph, parameters, record, clip)
