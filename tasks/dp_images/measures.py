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
    ),
    Metric(
        "nll",
        "NLL",
        "accuracy",
        "lower",
        "Mean negative log-likelihood of the right class in nats; probabilities below 1e-12 count as that.",
        low=0,
    ),
    Metric(
        "ece",
        "calibration error",
        "accuracy",
        "lower",
        "Expected calibration error of the likeliest class over 15 bins of equal width (Guo et al. 2017).",
        low=0,
        high=1,
    ),
    Metric(
        "fgsm_accuracy",
        "accuracy under FGSM",
        "accuracy",
        "higher",
        "Accuracy on images moved by the radius in the sign of the loss' gradient (Goodfellow et al. 2015), for "
        "methods that expose gradients.",
        low=0,
        high=1,
    ),
    Metric(
        "pgd_accuracy",
        "accuracy under PGD",
        "accuracy",
        "higher",
        "Accuracy on images moved by projected gradient ascent of the loss within the radius (Madry et al. 2018), for "
        "methods that expose gradients.",
        low=0,
        high=1,
    ),
    Metric(
        "int8_accuracy",
        "accuracy, int8",
        "accuracy",
        "higher",
        "Accuracy of the model once its weights are rounded to eight bits.",
        low=0,
        high=1,
    ),
)

_FAIRNESS = (
    Metric(
        "worst_class_accuracy",
        "worst class",
        "fairness",
        "higher",
        "Accuracy of the class that fares worst; the interval allows for its having been picked.",
        low=0,
        high=1,
    ),
    Metric(
        "class_gap",
        "class gap",
        "fairness",
        "lower",
        "Greatest accuracy of a class less the least.",
        low=0,
        high=1,
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
    Metric("flops", "FLOPs", "cost", "lower", "Floating-point operations of one image's forward pass.", low=0),
    Metric("model_bytes", "model size", "cost", "lower", "Bytes of the model's numbers, as trained.", "B", low=0),
    Metric("int8_bytes", "model size, int8", "cost", "lower", "Bytes of the model with eight-bit weights.", "B", low=0),
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
