"""One step of DP-SGD by each way there is, on the same batch, in the same run, on one thread.

Samples a CPU second, and how often each way fits into Opacus' default hooks and into plain SGD. The ways take turns, so
that what else the machine does falls on all of them; each counts by the median of its turns.

    pytest tests/benchmarks/test_dp_training.py --benchmark-only -s
"""

import statistics
import time

import pytest

from fourfold.suite.clipping import clipped_sum
from fourfold.suite.graph import export, read

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")
F = torch.nn.functional
CLASSES, CLIP, NOISE, RATE, TURNS = 10, 0.1, 1.0, 0.5, 9
OPACUS = ("hooks", "ew", "ghost", "functorch")


def wide_linear():
    """The head on scattering features of an MNIST image (Tramer and Boneh 2021): 81 channels of 7 by 7."""
    return torch.nn.Linear(3969, CLASSES), (3969,), 2048


def tanh_cnn():
    """The CNN of Papernot et al. (2021) for MNIST, 26,010 parameters."""
    layers = torch.nn
    module = layers.Sequential(
        layers.Conv2d(1, 16, 8, 2, padding=2), layers.Tanh(), layers.MaxPool2d(2, 1),
        layers.Conv2d(16, 32, 4, 2), layers.Tanh(), layers.MaxPool2d(2, 1),
        layers.Flatten(), layers.Linear(512, 32), layers.Tanh(), layers.Linear(32, CLASSES),
    )  # fmt: skip
    assert sum(parameter.numel() for parameter in module.parameters()) == 26_010
    return module, (1, 28, 28), 512


def plain_step(build, x, y):
    """SGD without privacy."""
    module, *_ = build()
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(module(x), y).backward()
        optimizer.step()

    return step


def opacus_step(build, x, y, mode):
    """DP-SGD by Opacus in one of its modes, without its loader, which costs extra."""
    from opacus.grad_sample.utils import wrap_model
    from opacus.optimizers import get_optimizer_class
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

    module, *_ = build()
    more = {"max_grad_norm": CLIP} if mode == "ghost" else {}
    wrapped = wrap_model(module, grad_sample_mode=mode, batch_first=True, loss_reduction="mean", **more)
    optimizer = get_optimizer_class("flat", False, mode)(
        torch.optim.SGD(module.parameters(), lr=RATE),
        noise_multiplier=NOISE, max_grad_norm=CLIP, expected_batch_size=len(x), loss_reduction="mean",
    )  # fmt: skip
    criterion = torch.nn.CrossEntropyLoss()
    if mode == "ghost":
        criterion = DPLossFastGradientClipping(wrapped, optimizer, criterion)

    def step():
        optimizer.zero_grad()
        criterion(wrapped(x), y).backward()
        optimizer.step()

    return step


def loss_of(module):
    def loss(parameters, x, y):
        return F.cross_entropy(torch.func.functional_call(module, parameters, (x[None],))[0], y)

    return loss


def release(parameters, sums, size):
    for name, total in sums.items():
        parameters[name] -= RATE / size * (total + NOISE * CLIP * torch.randn_like(total))


def our_step(build, x, y):
    """DP-SGD by the sums of an exported graph, as the suite's curator does it."""
    module, *_ = build()
    parameters = {name: parameter.detach() for name, parameter in module.named_parameters()}
    graph = read(export(loss_of(module), parameters, x[0], y[0]))

    def step():
        release(parameters, clipped_sum(graph, parameters, (x, y), CLIP)[0], len(x))

    return step


def vmap_step(build, x, y):
    """DP-SGD with every per-example gradient written down, by torch.func alone."""
    module, *_ = build()
    parameters = {name: parameter.detach() for name, parameter in module.named_parameters()}
    per_example = torch.func.vmap(torch.func.grad(loss_of(module)), (None, 0, 0))

    def step():
        gradients = per_example(parameters, x, y)
        norms = torch.stack([each.flatten(1).norm(dim=1) for each in gradients.values()]).norm(dim=0)
        scale = (CLIP / norms).clamp(max=1)
        release(parameters, {name: torch.tensordot(scale, each, 1) for name, each in gradients.items()}, len(x))

    return step


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("build", [wide_linear, tanh_cnn])
def test_a_private_step_beside_opacus_and_plain_sgd(benchmark, build, one_thread):
    torch.manual_seed(0)
    _, shape, size = build()
    x, y = torch.randn(size, *shape), torch.randint(0, CLASSES, (size,))
    ways = {"not private": plain_step(build, x, y), "fourfold": our_step(build, x, y), "vmap": vmap_step(build, x, y)}
    ways |= {f"opacus {mode}": opacus_step(build, x, y, mode) for mode in OPACUS}
    seconds = {name: [] for name in ways}
    for turn in range(TURNS + 1):
        for name, step in ways.items():
            start = time.process_time()
            step()
            if turn:  # The first is to warm up.
                seconds[name].append(time.process_time() - start)
    median = {name: statistics.median(each) for name, each in seconds.items()}
    benchmark.pedantic(ways["fourfold"], rounds=5)
    print(f"\n{build.__name__}, batch {size}")
    for name, each in median.items():
        speed, slower, faster = size / each, each / median["not private"], median["opacus hooks"] / each
        benchmark.extra_info[name] = {"samples_per_cpu_second": speed, "to_plain": slower, "to_opacus_hooks": faster}
        print(
            f"{name:18} {speed:10,.0f} samples a CPU s; {slower:6.2f} times plain SGD's time; {faster:6.2f} times hooks"
        )
