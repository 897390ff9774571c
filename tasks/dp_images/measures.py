"""What dp-images measures, by name: titles, directions and definitions, as the board shows them."""

from fourfold.suite.task import Metric

_ACCURACY = (
    Metric(
        "accuracy",
        "accuracy",
        "accuracy",
        "higher",
        "Share of test images whose likeliest class is the right one, of all and of each class; Wilson's interval.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "nll",
        "NLL",
        "accuracy",
        "lower",
        "Mean negative log-likelihood of the right class in nats; probabilities below 1e-12 count as that.",
        low=0,
        averages=False,
    ),
    Metric(
        "ece",
        "calibration error",
        "accuracy",
        "lower",
        "Expected calibration error of the likeliest class over 15 bins of equal width (Guo et al. 2017).",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "fgsm_accuracy",
        "accuracy under FGSM",
        "accuracy",
        "higher",
        "Accuracy on up to 500 test images, each pixel moved by 0.1 (grey, of [0, 1]) or 8/255 (colour) in the sign of "
        "the loss' gradient (Goodfellow et al. 2015), for methods whose model() is what answers and has a gradient.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "pgd_accuracy",
        "accuracy under PGD",
        "accuracy",
        "higher",
        "Accuracy on the same images after 20 steps of projected gradient ascent of the loss from a random start, no "
        "pixel further than 0.1 (grey, of [0, 1]) or 8/255 (colour) from its own (Madry et al. 2018). Well above that "
        "under FGSM, it tells of gradients that mislead.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "int8_accuracy",
        "accuracy, int8",
        "accuracy",
        "higher",
        "Accuracy on the same images, not attacked, of a model() whose weights are rounded to eight bits, "
        "symmetrically and by output channel (Krishnamoorthi 2018).",
        low=0,
        high=1,
        averages=False,
    ),
)

_FAIRNESS = (
    Metric(
        "worst_class_accuracy",
        "worst class",
        "fairness",
        "higher",
        "Accuracy of the class that fares worst; its interval allows for its having been picked.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "class_gap",
        "class gap",
        "fairness",
        "lower",
        "Greatest accuracy of a class less the least.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "class_gap_added",
        "class gap added",
        "fairness",
        "lower",
        "Class gap less that of the same method without privacy, on the same problems: what privacy costs the "
        "worst-off (Bagdasaryan, Poursaeed and Shmatikov 2019).",
        low=-1,
        high=1,
    ),
)

_COST = (
    Metric(
        "flops",
        "FLOPs",
        "cost",
        "lower",
        "Floating-point operations of the convolutions and matrix products of model() for one image; those of "
        "scattering features are not counted.",
        low=0,
    ),
    Metric("model_bytes", "model size", "cost", "lower", "Bytes of the parameters of model(), float32.", "B", low=0),
    Metric(
        "int8_bytes",
        "model size, int8",
        "cost",
        "lower",
        "Bytes of the parameters of model() with weights of eight bits, and a float32 scale for each output channel.",
        "B",
        low=0,
    ),
    Metric(
        "slowdown",
        "slowdown",
        "cost",
        "lower",
        "CPU time of fit over that of the same method without privacy, on the same problems.",
        "x",
        low=0,
    ),
)

METRICS = _ACCURACY + _FAIRNESS + _COST
