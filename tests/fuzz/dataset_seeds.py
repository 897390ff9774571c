"""Valid files of each dataset, small ones: see ``seeds``."""

import gzip
import io
import struct
import tarfile
from functools import cache

import numpy as np
from seeds import parquet


def german() -> list[bytes]:
    columns = {
        "checking_status": "A11", "duration_months": 12, "credit_history": "A30", "purpose": "A40",
        "credit_amount": 900, "savings": "A61", "employment_since": "A71", "installment_rate": 2,
        "other_debtors": "A101", "residence_since": 1, "property": "A121", "age": 30,
        "other_installment_plans": "A141", "housing": "A151", "existing_credits": 1, "job": "A171", "num_liable": 1,
        "telephone": "A191", "default": 1,
    }  # fmt: skip
    return [parquet({name: [value] * 3 for name, value in columns.items()})]


def give_me_some_credit() -> list[bytes]:
    from fourfold.tasks.fair_credit.sources import GMSC_COLUMNS

    first = ",".join(GMSC_COLUMNS)
    return [f"{first}\n1,1,0.5,45,2,0.8,9120,13,0,6,0,2\n2,0,0.9,20,96,0.1,NA,4,0,0,98,NA\n".encode()]


def _idx(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(int(np.prod(shape)))


def digits() -> list[bytes]:
    return [gzip.compress(_idx((2, 28, 28)), 1, mtime=0), gzip.compress(_idx((2,)), 1, mtime=0)]


def cifar() -> list[bytes]:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as archive:
        for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = 3073
            archive.addfile(info, io.BytesIO(bytes(3073)))
    return [made.getvalue()]


def jpegs() -> list[bytes]:
    from PIL import Image

    coded = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(coded, "JPEG")
    return [parquet({"label": [1, 2], "jpeg": [coded.getvalue()] * 2})]


def monthly(last: str = "2025-03") -> bytes:
    lines = ["Month/Year,License Class,Unique Drivers,Trips Per Day,Unique Vehicles,Extra"]
    for month in ("2022-01", "2022-02", last):
        for name in ("Yellow", "Green", "FHV - High Volume", "FHV - Black Car", "FHV - Livery", "FHV - Lux Limo"):
            lines.append(f'{month},{name},"1,234"," 5,678 ",90,-')
    return "\n".join(lines).encode()


def drivers() -> list[bytes]:
    return [monthly()]


@cache
def occupations() -> bytes:
    lines = ["year,state,occ,sex,emp,moe"]
    for state in range(52):
        for year in range(2005, 2019):
            for occupation in ("truck", "bus", "taxi_other"):
                lines += [f"{year},S{state:02},{occupation},{sex},100,7" for sex in ("Female", "Male")]
    return "\n".join(lines).encode()


@cache
def areas() -> list[bytes]:
    lines = ["state,year,median_hh_income,pop,nh_white,poverty_rate,employed_total"]
    for state in range(52):
        lines += [f"S{state:02},{year},{50000 + state},{1000 + state},{500 - state},0.1,600"
                  for year in range(2005, 2019)]  # fmt: skip
    return ["\n".join(lines).encode()]


def bases() -> list[bytes]:
    months = [(year, month) for year in range(2015, 2023) for month in range(1, 13)][:87]
    return [parquet({
        "base": [f"B{i}" for i in range(2) for _ in months], "base_name": ["x"] * 174, "dba": [None, "y"] * 87,
        "year": [year for year, _ in months] * 2, "month": [month for _, month in months] * 2,
        "trips": [100] * 174, "shared_trips": [1] * 174, "vehicles": [7] * 174,
    })]  # fmt: skip
