"""Valid inputs of each parser, small ones, from which fuzzers start: made here, so that none is a file to be kept."""

import base64
import io
import json
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fourfold.suite import boundary, cellfile, compact, exhibit, folder, guest, pack, store

CELL, OTHER = "ab" * 32, "cd" * 32

METHOD = b'''
"""A method."""
from dataclasses import dataclass
import numpy as np
from fourfold.suite import Method
import fourfold.suite.method as m

class Base(Method):
    """Of a family."""
    task = "toy"
    version: str = "1"
    strength: float = 0.5
    count: int = 3
    name: "str" = "x"
    deep: bool = True

class _Hidden(Base):
    pass

class Scorecard(Base):
    \'\'\'Adds points.\'\'\'
    requirements = ("six==1.16.0",)
    cpus, _internal = 1, object()
    memory = 2.5
    private = True
    track = {"a": [1, 2.0, None, (True, "b")]}
    strength = -1e-3

    def fit(self, train, budget):
        self.ledger.gaussian(1.0)
'''
ONE = b'from fourfold.suite import Method\nclass A(Method):\n    task = "toy"\n    k: int = 1\n'


def archives() -> list[bytes]:
    found = pack._described({"method.py": ONE, "data/weights.bin": bytes(range(64))}, "A", "a", "seed")
    return [found.archive(), pack.packfiles.write_archive(b"{}", {"x.py": b"pass"})]


def members() -> list[bytes]:
    described = pack._described({"method.py": ONE}, "A", "a", "seed")
    manifest = b"manifest.json\0\0" + json.dumps(described.card()).encode()
    return [b"\0\0\0".join([manifest, b"files/method.py\0\0" + ONE]), manifest + b"\0\0\0files/../x\0\0y"]


def sources() -> list[bytes]:
    return [METHOD, ONE, b"x = 1", ONE + b"    cpus = 0x" + b"f" * 40 + b"\n    z = 1j\n    y: 'ClassVar[int]' = 2\n"]


def selectors() -> list[bytes]:
    return [b"logistic", b"scorecard[bins=7]", b"lightgbm[trees=10,rate=0.5]", b"x.py:A[k=1]", b"a[b]", b"x.zip",
            b"verified-dp-logistic[clip=1e9]", b"keyed-profile[pixels=False]"]  # fmt: skip


# Arrow


def _stream(batch: pa.RecordBatch, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def answers() -> list[bytes]:
    floats = [np.array([0.0, 0.5, 1.0]), np.full((2, 3), 1 / 3), np.array([True, False, True])]
    kinds = (np.int8, np.uint64, np.float16, np.float32)
    made = [bytes(boundary.encode({"answer": each})) for each in (*floats, *(np.arange(3, dtype=k) for k in kinds))]
    field = pa.field("answer", pa.large_list(pa.float64()), metadata={"kind": "array", "shape": "[3]"})
    column = pa.array([[0.5, None, 1.0]], field.type)
    batch = pa.record_batch([column], schema=pa.schema([field]))
    return [*made, _stream(batch), _stream(batch, compression="zstd")]


def records() -> list[bytes]:
    mixed = {"a": np.arange(6.0).reshape(2, 3), "b": True, "c": 3, "d": "text", "e": ("x", "yy"), "f": None, "g": (),
             "h": np.array(["p", "qq"]), "i": np.empty(0, np.int64)}  # fmt: skip
    held = folder.folder({"a/b.dcm": b"abc", "c": b""}, ("d: symbolic link",))
    return [bytes(boundary.encode(each)) for each in (mixed, held, _notes())]


def folders() -> list[bytes]:
    return [
        b'{"paths": ["a.dcm", "b/c.dcm"], "data": [1, 2, 3], "ends": [1, 3], "odd": ["x: socket"]}',
        b'{"paths": ["a", "mapping.csv"], "data": [111, 108, 100, 44, 110, 101, 119], "ends": [0, 7], "odd": ["y"]}',
    ]


def _notes() -> dict[str, Any]:
    """A curator's, of three releases of two numbers over ten records."""
    rng = np.random.default_rng(1)
    sums = rng.normal(size=(3, 2)).astype(np.float32)
    return {
        "counts": np.ones(10, np.int64), "sizes": np.array([3, 4, 3]), "rates": np.full(3, 0.3), "scores": np.zeros(4),
        "lengths": np.array([2, 2, 2]), "sums": sums.ravel(), "facts": np.array([[1.0, 2.0, 3, 1]] * 3),
        "spans": np.array([[0.5, 3.0]] * 3),
        "releases": (sums + rng.normal(0, 2, (3, 2))).astype(np.float32).ravel(),
        "chain": np.arange(12, dtype=np.uint64).reshape(3, 4), "summed": np.array([4, 2]), "given": np.array([3]),
        "whole": np.array([1]), "ledger": json.dumps([["gaussian", 2.0, 0.3, 3, "poisson", "record"]]),
    }  # fmt: skip


def notes() -> list[bytes]:
    plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in _notes().items()}
    return [json.dumps(plain).encode(), json.dumps({**plain, "rates": [1.0, 1.0, 1.0], "whole": [0]}).encode()]


def frames() -> list[bytes]:
    def frame(tag: bytes, body: bytes) -> bytes:
        return boundary.head(tag, len(body)) + body

    sent = frame(guest.READY, b"model") + frame(guest.ANSWER, answers()[0]) + frame(guest.LEDGER, ledgers()[0])
    words = json.dumps({"kind": "ValueError", "text": "no", "where": "a.py:3"}).encode()
    return [sent + frame(guest.EVIDENCE, b"") + frame(guest.STATE, b"12"), frame(guest.ERROR, words),
            sent + frame(guest.FAULT, words), struct.pack("<cQ", guest.ANSWER, 2**63)]  # fmt: skip


def ledgers() -> list[bytes]:
    return [
        b'[["gaussian", 1.1, 0.01, 100, "poisson", "record"]]',
        b'[["gaussian", 4.0, 1.0, 3, "full", "user"], ["laplace", 2.0, 1.0, 5, "full", "record"]]',
        b'[["gaussian", 1.0, 1.0, 20, "shuffle", "record"]]',
        b"[]",
    ]


def graphs() -> list[bytes]:
    import torch

    from fourfold.suite import graph

    def loss(p: Any, x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, p["w"], p["b"]), y)

    def convolved(p: Any, x: Any) -> Any:
        h = torch.tanh(torch.nn.functional.conv2d(x[None], p["c"], stride=2, padding=1))
        return torch.nn.functional.avg_pool2d(h, 2).flatten() * torch.arange(8)

    return [
        graph.export(loss, {"w": torch.zeros(3, 7), "b": torch.zeros(3)}, torch.zeros(7), torch.tensor(0)),
        graph.export(convolved, {"c": torch.zeros(2, 1, 3, 3)}, torch.zeros(1, 8, 8)),
    ]


# Results


def _rows(ident: str) -> list[dict[str, Any]]:
    same = {"cell": ident, "task": "toy", "dataset": "tiny", "method": "a", "method_digest": "0" * 64, "parameters": "",
            "epsilon": float("inf"), "delta": 1e-5, "seed": 0, "group": "", "low": None, "high": None, "n": 9,
            "status": "ok", "reason": ""}  # fmt: skip
    shown = exhibit.rows({**same}, {"fans": exhibits()[0]})
    return [
        {**same, "family": "accuracy", "metric": "auc", "value": 0.5, "replicates": [0.5, 0.25]},
        {**same, "family": "cost", "metric": "cpu_seconds", "value": None, "replicates": None},
        *shown,
    ]


@cache
def cell(ident: str) -> bytes:
    return cellfile.encode(cellfile.tabulate(ident, _rows(ident)), {"command": "run"})


def _plain(table: pa.Table, metadata: dict[str, str], **options: Any) -> bytes:
    """As Parquet without compression and checksums: what is changed in it is then read, and not refused at once."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="none", **options) as out:
        out.write_table(table)
        out.add_key_value_metadata(metadata)
    return bytes(sink.getvalue().to_pybytes())


def cells() -> list[bytes]:
    table = cellfile.tabulate(CELL, _rows(CELL))
    footer = {cellfile.FOOTER.decode(): json.dumps({"cell": CELL, "status": "ok", "store_schema": 2})}
    few = table.select(["cell", "task", "metric", "value", "seed", "replicates"])
    newer = table.append_column("carbon", pa.array([1] * 3))
    return [cell(CELL), _plain(table, footer), _plain(table, footer, use_dictionary=False, data_page_version="2.0"),
            _plain(few, footer, store_schema=False), _plain(newer, footer)]  # fmt: skip


@cache
def _compacted() -> dict[str, bytes]:
    """The files of a results folder of one cell, compacted."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        root = store.create(Path(place))
        store.place_cell(root, OTHER, cell(OTHER))
        compact.compact(root)
        files = sorted(root.rglob("*.parquet"))
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def compacted_in(root: Path) -> Path:
    """That folder, at ``root``."""
    store.create(root)
    for name, data in _compacted().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def manifests() -> list[bytes]:
    """The two files of a compacted folder, after a letter that says which."""
    made = [(b"r" if name.endswith("rows.parquet") else b"c") + data for name, data in _compacted().items()]
    plain = [
        each[:1] + _plain(pq.read_table(io.BytesIO(each[1:])), {}, use_dictionary=["cell"]) for each in made
    ]  # fmt: skip
    return [*made, *plain]


def cards() -> list[bytes]:
    return [b'{"name": "toy", "version": "1", "metrics": [{"name": "auc", "low": 0}]}', b"[]", b'"x"']


def _fans() -> dict[str, Any]:
    chart = {"series": "s", "target": "t", "origin": "o", "periods": ["1", "2"], "history": [1.0], "outcome": [None],
             "quantiles": {level: [0.5] for level in exhibit.QUANTILES}}  # fmt: skip
    return {"kind": "fans", "title": "t", "charts": [chart]}


def _sheet() -> dict[str, Any]:
    body = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body))
    return {"kind": "sheet", "title": "t", "note": "n",
            "images": [{"png": base64.b64encode(png).decode(), "caption": "c"}]}  # fmt: skip


def _leaks() -> dict[str, Any]:
    leak = dict.fromkeys(("file", "where", "kind", "form", "locus"), "x")
    return {"kind": "leaks", "title": "t", "note": "n", "total": 1, "leaks": [{**leak, "snippet": ["a", "b", "c"]}]}


def exhibits() -> list[bytes]:
    return [exhibit.encode(each) for each in (_fans(), _sheet(), _leaks())]


def exhibit_texts() -> list[bytes]:
    return [json.dumps(each).encode() for each in (_fans(), _sheet(), _leaks())]


# Settings


def settings() -> list[bytes]:
    return [b'dataset = ["tiny"]\nseeds = 3\nepsilon = [1.0, inf]\nresults = "results"\n',
            b'seed = 1\nworkers = 2\nbackend = "process"\ntime-limit = 1e3\nrequire-sandbox = true\n',
            b"[a]\nb = 1979-05-27T07:32:00Z\n", b"method = ['a', \"b\"]\n"]  # fmt: skip


def parquet(columns: dict[str, Any]) -> bytes:
    """A file of these columns."""
    return _plain(pa.table(columns), {}, use_dictionary=False)


# DICOM


def dicoms() -> list[bytes]:
    """Small images in each way that pixels are stored here, and a report."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

    from fourfold.tasks.dicom_deid.encoding import Style, encode

    def image(style: Style | None, colour: bool = False, frames: int = 1) -> Dataset:
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
        data.StudyInstanceUID, data.Modality, data.PatientName = "2.25.2", "MR", "Long^Hope"
        data.SpecificCharacterSet = ["ISO 2022 IR 6", "ISO 2022 IR 87"]
        data.PixelSpacing = [1, 1]
        item = Dataset()
        item.StudyDate, item.CodeValue = "20200101", "1"
        data.RequestAttributesSequence = [item]
        data.private_block(0x19, "GEMS", create=True).add_new(1, "LO", "x")
        if style:
            samples = np.arange(frames * 32 * 32 * (3 if colour else 1), dtype=np.int64) % 200
            encode(data, samples.reshape((frames, 32, 32, *((3,) * colour))), style)
        return data

    made = [
        *(image(Style(syntax)) for syntax in ("native", "rle", "jpeg2000", "jpeg")),
        image(Style("jpeg2000", "RGB"), True), image(Style("rle", bits=12, signed=True), frames=2),
        image(Style("native", "YBR_FULL_422"), True), image(Style("native", "PALETTE COLOR")),
        image(Style("jpeg", "YBR_FULL_422"), True),
    ]  # fmt: skip
    for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        made.append(image(None))
        made[-1].file_meta.TransferSyntaxUID = syntax
    return [_saved(each) for each in made]


def _saved(dataset: Any) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def mappings() -> list[bytes]:
    return [b"old,new\na.dcm,1.dcm\nb/c.dcm,2.dcm\n", b'\xef\xbb\xbfold,new\r\n"a.dcm","1.dcm"\r\n']
