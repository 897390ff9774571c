"""A graph computes what its function computes, and nothing but a graph can be read."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fourfold.suite.graph import MAX_BYTES, MAX_ELEMENTS, MAX_NODES, GraphError, export, read
from fourfold.suite.operations import ALLOWED

torch = pytest.importorskip("torch")
F = torch.nn.functional


def linear(p, x, y):
    return F.cross_entropy(F.linear(x, p["weight"], p["bias"]), y)


def small_cnn(p, x, y):
    """Tanh CNN of Papernot et al. (2021), narrower."""
    h = F.max_pool2d(torch.tanh(F.conv2d(x, p["c1.weight"], p["c1.bias"], stride=2, padding=2)), 2, 1)
    h = F.max_pool2d(torch.tanh(F.conv2d(h, p["c2.weight"], p["c2.bias"], stride=2)), 2, 1)
    h = torch.tanh(F.linear(torch.flatten(h), p["f1.weight"], p["f1.bias"]))
    return F.nll_loss(F.log_softmax(F.linear(h, p["f2.weight"], p["f2.bias"]), 0), y)


def residual(p, x, y):
    h = F.group_norm(F.conv2d(x, p["stem"], padding=1)[None], 2, p["scale"], p["shift"])
    h = h + F.conv2d(F.relu_(h.clone()), p["block"], padding=1)
    logits = F.avg_pool2d(h, 4).mean((2, 3)).view(-1) @ p["head"]
    return -(F.log_softmax(logits, -1) * (torch.arange(3) == y)).sum() + F.dropout(logits, 0.5, False).square().mean()


def shapes(**sizes):
    generator = torch.Generator().manual_seed(0)
    return {name.replace("_", "."): torch.randn(size, generator=generator) * 0.3 for name, size in sizes.items()}


CASES = {
    "linear": (linear, shapes(weight=(3, 7), bias=(3,)), (7,)),
    "cnn": (
        small_cnn,
        shapes(
            c1_weight=(4, 1, 5, 5), c1_bias=(4,), c2_weight=(6, 4, 3, 3), c2_bias=(6,),
            f1_weight=(5, 6), f1_bias=(5,), f2_weight=(3, 5), f2_bias=(3,),
        ),
        (1, 14, 14),
    ),
    "residual": (
        residual,
        shapes(stem=(4, 2, 3, 3), scale=(4,), shift=(4,), block=(4, 4, 3, 3), head=(4, 3)),
        (2, 8, 8),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_graph_gives_the_same_numbers_and_gradients_as_its_function(case):
    function, parameters, shape = CASES[case]
    graph = read(export(function, parameters, torch.zeros(shape), torch.tensor(0)))
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn((5, *shape), generator=generator), torch.tensor([0, 2, 1, 1, 0])
    assert graph(parameters, x[0], y[0]).item() == function(parameters, x[0], y[0]).item()
    ours, plain = (torch.func.vmap(torch.func.grad(each), (None, 0, 0))(parameters, x, y) for each in (graph, function))
    for name in parameters:
        assert torch.equal(ours[name], plain[name]), name


def test_a_graph_says_what_goes_in_and_what_comes_out():
    parameters = shapes(weight=(3, 7), bias=(3,))
    graph = read(export(linear, parameters, torch.zeros(7), torch.tensor(0)))
    assert graph.parameters == {"weight": (3, 7), "bias": (3,)}
    assert graph.record == (((7,), "float32"), ((), "int64"))
    assert graph.output == ()
    assert graph.elements == 7 + 1 + 3 + 1  # The record, what linear gives and the loss.
    model = read(export(lambda p, x: torch.softmax(F.linear(x, p["weight"], p["bias"]), 0), parameters, torch.zeros(7)))
    assert model.output == (3,)


def test_the_numbers_given_to_export_stay_behind():
    parameters = {"weight": torch.full((3, 7), 0.123456789), "bias": torch.zeros(3)}
    data = export(linear, parameters, torch.full((7,), 987654.0), torch.tensor(2))
    assert b"123456" not in data
    assert b"987654" not in data
    assert len(data) < 600
    assert data == export(linear, parameters, torch.zeros(7), torch.tensor(0))


def test_torch_is_imported_when_it_is_needed_and_not_before():
    code = "import fourfold.suite.graph, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, timeout=60).returncode == 0


def test_every_allowed_operation_is_pure_by_its_own_declaration():
    impure = {torch.Tag.nondeterministic_seeded, torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
    for op in ALLOWED:
        _, name, overload = op.split(".")
        operation = getattr(getattr(torch.ops.aten, name), overload)
        assert not operation._schema.is_mutable, op
        assert not impure & set(operation.tags), op


# What an author gets wrong.


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda p, x: (p["a"] * torch.randn(3)).sum(), "'randn' .* random"),
        (lambda p, x: F.dropout(p["a"] * x).sum(), "dropout.* random"),
        (lambda p, x: (p["a"] * x).nonzero().sum(), "'nonzero' .* shape depends on the data"),
        (lambda p, x: (torch.empty(3) * p["a"] * x).sum(), "memory that nobody wrote"),
        (lambda p, x: (p["a"] * x * torch.tensor([1.0, 2.0, 3.0])).sum(), "pass it as a parameter"),
        (lambda p, x: (p["a"] * x).argmax(), "'argmax' .* nearest is 'aten.amax.default'"),
        (lambda p, x: (p["a"], x), "must return one tensor"),
        (lambda p, x: (p["a"] * x).sum() > 0, "output is of bool"),
        (lambda p, x: p["a"] @ x[:2], "torch.export cannot trace"),
    ],
)  # fmt: skip
def test_export_refuses_what_could_not_be_read(function, said):
    with pytest.raises(GraphError, match=said):
        export(function, {"a": torch.ones(3)}, torch.ones(3))


def test_tensors_that_do_not_fit_are_named():
    graph = read(export(linear, shapes(weight=(3, 7), bias=(3,)), torch.zeros(7), torch.tensor(0)))
    with pytest.raises(GraphError, match="'weight' is missing; the nearest is 'weights'"):
        graph(shapes(weights=(3, 7), bias=(3,)), torch.zeros(7), torch.tensor(0))
    with pytest.raises(GraphError, match=r"'weight' has shape \(3, 8\), not \(3, 7\)"):
        graph(shapes(weight=(3, 8), bias=(3,)), torch.zeros(7), torch.tensor(0))
    with pytest.raises(GraphError, match=r"vmap"):
        graph(shapes(weight=(3, 7), bias=(3,)), torch.zeros(2, 7), torch.tensor([0, 1]))


# What a hostile guest may send.

A, X = {"parameter": "a"}, {"record": 0}


def document(*nodes, output=None, parameters=None, record=None):
    return json.dumps(
        {
            "parameters": parameters or {"a": [3]},
            "record": record or [[[3], "float32"]],
            "nodes": list(nodes),
            "output": output or {"node": nodes[-1][0]},
        }
    ).encode()


def node(op, *arguments, name="n", **keywords):
    return [name, f"aten.{op}", list(arguments), keywords]


HUGE = [10**6, 10**6]
HOSTILE = {
    "forbidden": (node("from_file.default", "/etc/passwd"), "not allowed"),
    "not aten": (["n", "prims.add.default", [A, X], {}], "not allowed"),
    "attribute": (["n", "aten.__class__.mro", [], {}], "not allowed"),
    "in place": (node("add_.Tensor", A, X), "works in place.* nearest is 'aten.add.Tensor'"),
    "random": (node("bernoulli.default", A), "random"),
    "uninitialised": (node("empty_like.default", A), "nobody wrote"),
    "no such parameter": (node("add.Tensor", A, {"parameter": "b"}), "parameter 'b' is none"),
    "no such record": (node("add.Tensor", A, {"record": 1}), "record '1' is none"),
    "negative record": (node("add.Tensor", A, {"record": -1}), "record '-1' is none"),
    "itself": (node("add.Tensor", A, {"node": "n"}), "node 'n' is none"),
    "unknown kind": (node("add.Tensor", A, {"attribute": "x"}), "attribute 'x' is none"),
    "text for a number": (node("mul.Scalar", A, "2"), "a str where"),
    "unknown dtype": (node("to.dtype", A, {"dtype": "object"}), "'object' is no dtype"),
    "not a dtype": (node("to.dtype", A, {"dtype": ["float32"]}), "is no dtype"),
    "number for a dtype": (node("to.dtype", A, -32848), "dtype is -32848"),
    "number for a format": (node("contiguous.default", A, 99), "memory_format is 99"),
    "dtype for a format": (node("contiguous.default", A, {"dtype": "bool"}), "memory_format is torch.bool"),
    "truth for a dtype": (node("sum.default", A, dtype=True), "dtype is True"),
    "lists in lists": (node("reshape.default", A, [[3]]), "a list where"),
    "long list": (node("reshape.default", A, [1] * 65), "a list where"),
    "65 bits": (node("mul.Scalar", A, 2**63), "beyond 64 bits"),
    "another device": (node("zeros.default", [3], device="cuda"), "where a result lies"),
    "into another": (node("add.Tensor", A, X, out=A), "where a result lies"),
    "several results": (node("max.dim", A, 0), "not allowed"),
    "huge full": (node("full.default", HUGE, 1.0), "more than 16,777,216"),
    "huge expand": (node("expand.default", A, [*HUGE, 3]), "more than 16,777,216"),
    "huge repeat": (node("repeat.default", A, [*HUGE, 3]), "more than 16,777,216"),
    "huge arange": (node("arange.default", 10**15), "more than 16,777,216"),
    "huge pad": (node("pad.default", A, [10**12, 10**12]), "more than 16,777,216"),
    "beyond addresses": (node("full.default", [2**40, 2**40], 1.0), r"'n' \(aten.full.default\)"),
    "shapes that do not fit": (node("matmul.default", A, {"record": 0}, 3), r"'n' \(aten.matmul.default\)"),
    "negative groups": (node("group_norm.default", A, 0), r"'n' \(aten.group_norm.default\)"),
    "no stride": (node("avg_pool2d.default", A, [2, 2], [0, 0]), r"'n' \(aten.avg_pool2d.default\)"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_graph_of_allowed_operations_is_refused(what):
    hostile, said = HOSTILE[what]
    with pytest.raises(GraphError, match=said):
        read(document(hostile))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"parameters":' * 100_000, "not JSON|bytes"),
        (b"9" * 5000, "not JSON"),
        (b"[]", "is a list, not a dict"),
        (b"{}", r"keys \[\]"),
        (document(node("mul.Scalar", A, 1.0)).replace(b"1.0", b"NaN"), "NaN is not a finite number"),
        (document(node("mul.Scalar", A, 1.0)).replace(b"1.0", b"1e999"), "not finite"),
        (document(node("neg.default", A)).replace(b'"a": [3]', b'"a": [3], "a": [4]'), "twice"),
        (document(node("neg.default", A), node("neg.default", X)), "came before"),
        (document(node("neg.default", {"node": "m"}), node("neg.default", A, name="m")), "node 'm' is none"),
        (document(node("neg.default", A), output={"node": "m"}), "output: node 'm' is none"),
        (document(node("neg.default", A), output=[A]), "not a reference"),
        (document(["n", "aten.neg.default", [A]]), "a node is not"),
        (document(["n", ["aten.neg.default"], [A], {}]), "an operation is a list"),
        (document(node("neg.default", A), parameters={"a": ["3"]}), "shape of parameter 'a'"),
        (document(node("neg.default", A), parameters={"a": [True]}), "shape of parameter 'a'"),
        (document(node("neg.default", A), parameters={"a": [-3]}), "shape of parameter 'a'"),
        (document(node("neg.default", A), parameters={"a": [2**20, 2**20]}), "more than 134,217,728 numbers"),
        (document(node("neg.default", A), record=[[[3], "object"]]), "is no dtype"),
        (document(node("neg.default", A), record=[[2**26], "float32"]), "a field of the record"),
        (document(node("neg.default", A), record=[[[2**26], "float32"]]), "more than 16,777,216"),
        (document(node("neg.default", A), record=[[[1], "int8"]] * 65), "more than 64 fields"),
        (document(*(node("neg.default", A, name=f"{i}") for i in range(MAX_NODES + 1))), "10,001 nodes"),
        (b" " * (MAX_BYTES + 1), "1,048,577 bytes"),
    ],
    ids=range(26),
)  # fmt: skip
def test_what_is_no_graph_document_is_refused(data, said):
    with pytest.raises(GraphError, match=said):
        read(data)


def test_memory_is_bounded_by_the_sum_over_the_nodes():
    half = MAX_ELEMENTS // 2
    fits = [node("expand.default", X, [half], name="0")]
    assert read(document(*fits, record=[[[1], "float32"]])).elements == half + 1
    with pytest.raises(GraphError, match="'1'"):
        read(document(*fits, node("neg.default", {"node": "0"}, name="1"), record=[[[1], "float32"]]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([A, X, {"dtype": "int64"}, {"node": "n"}, "n", "aten.add.Tensor"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["parameter", "record", "node", "dtype"]), inner, max_size=2),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries(dict.fromkeys(("parameters", "record", "nodes", "output"), JSON)) | JSON)
def test_no_document_brings_another_error(value):
    with pytest.raises(GraphError):
        read(json.dumps(value).encode())


ARGUMENT = st.sampled_from([A, X, {"dtype": "float16"}, {"dtype": "int64"}, None, True]) | st.integers(-3, 5)
ARGUMENT |= st.integers(-(2**63), 2**63 - 1) | st.floats(-2, 2) | st.lists(st.integers(-1, 4), max_size=3)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(ALLOWED)), st.lists(ARGUMENT, max_size=5), st.sampled_from([(3,), (), (2, 3), (2, 4, 4)]))
def test_allowed_operations_with_any_arguments_are_refused_or_bounded(op, arguments, shape):
    data = document(["n", op, [A, *arguments], {}], parameters={"a": list(shape)}, record=[[list(shape), "float32"]])
    try:
        graph = read(data)
    except GraphError:
        return
    assert graph.elements <= MAX_ELEMENTS
    try:
        result = graph({"a": torch.ones(shape)}, torch.ones(shape))
    except GraphError:  # An operation may ask more of numbers than of shapes: a target within the classes.
        return
    assert graph.output == tuple(result.shape)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_or_are_a_graph(data):
    good = bytearray(document(node("conv2d.default", X, A, None, [1, 1]), record=[[[1, 3, 3], "float32"]],
                              parameters={"a": [1, 1, 2, 2]}))  # fmt: skip
    for place in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=3)):
        good[place] = data.draw(st.integers(0, 255))
    try:
        graph = read(bytes(good))
    except GraphError:
        return
    assert graph.elements <= MAX_ELEMENTS
