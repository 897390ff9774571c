"""Private blocks of two makers and of an unknown one: safe numbers that must stay, and identities that must not."""

import numpy as np

from fourfold.tasks.dicom_deid.slots import Filler, Private

SAFE = {
    "GE": (
        (Private(0x0019, "GEMS_ACQU_01", 0x23, "DS"), ("39.37", "55", "137.5")),
        (Private(0x0019, "GEMS_ACQU_01", 0x27, "DS"), ("0.4", "0.5", "0.8")),
        (Private(0x0043, "GEMS_PARM_01", 0x27, "SH"), ("0.516:1", "0.984:1", "1.375:1")),
        (Private(0x0045, "GEMS_HELIOS_01", 0x01, "SS"), (16, 32, 64)),
    ),
    "Siemens": (
        (Private(0x0019, "SIEMENS MR HEADER", 0x0C, "IS"), ("0", "50", "800", "1000")),
        (Private(0x0019, "SIEMENS MR HEADER", 0x0D, "CS"), ("DIRECTIONAL", "ISOTROPIC", "NONE")),
    ),
    "Acme": (),
}
"""Of PS3.15, table E.3.10-1: elements that Retain Safe Private lets stay, by maker, and what they may say."""
NAMED = {
    "GE": Private(0x0009, "GEMS_IDEN_01", 0xE2, "LO"),
    "Siemens": Private(0x0021, "SIEMENS MED", 0x40, "LO"),
    "Acme": Private(0x0033, "ACME 3D WORKBENCH", 0x05, "LO"),
}
NOTED = {
    "GE": Private(0x0043, "GEMS_PARM_01", 0x13, "LO"),
    "Siemens": Private(0x0095, "SIEMENS MED HG", 0x11, "LT"),
    "Acme": Private(0x0033, "ACME 3D WORKBENCH", 0x08, "LT"),
}
NUMBERED = {
    "GE": Private(0x0009, "GEMS_IDEN_01", 0x30, "SH"),
    "Siemens": Private(0x0021, "SIEMENS MED", 0x41, "LO"),
    "Acme": Private(0x0033, "ACME 3D WORKBENCH", 0x06, "LO"),
}
BLOBS = {
    "GE": Private(0x0043, "GEMS_PARM_01", 0x29, "OB"),
    "Siemens": Private(0x0029, "SIEMENS CSA HEADER", 0x20, "OB"),
    "Acme": Private(0x0033, "ACME 3D WORKBENCH", 0x10, "OB"),
}


def safe(to: Filler, maker: str, series: int) -> None:
    """Numbers of the acquisition. series: the seed of what its images have in common."""
    rng = np.random.default_rng([series, 1])
    for target, values in SAFE[maker]:
        to.keep(target, values[int(rng.integers(len(values)))], "private")


def identified(to: Filler, maker: str) -> None:
    """Text with an identity in it, which a perfect method removes."""
    person, numbers = to.who.person, to.who.numbers
    name = f"{person.latin[0]}, {person.latin[1]}" if to.rng.random() < 0.5 else " ".join(person.native)
    to.plant(NAMED[maker], "name", name, locus="private")
    to.plant(NUMBERED[maker], "accession" if maker == "GE" else "mrn", numbers["accession" if maker == "GE" else "mrn"],
             locus="private")  # fmt: skip
    if to.rng.random() < 0.5:
        kind = ("phone", "email", "account")[int(to.rng.integers(3))]
        to.plant(NOTED[maker], kind, numbers[kind], locus="private")


def binary(to: Filler, maker: str) -> None:
    """A blob with a name and a number somewhere within: a dump of the console's memory, which no standard describes."""
    person, wide, native = to.who.person, to.rng.random() < 0.3, to.rng.random() < 0.5
    name = "^".join(person.native if native and not wide else person.latin)
    encoding = "utf-16-le" if wide and len(name) > 7 else "utf-8"  # Of fewer letters any bytes may happen to hold.
    before, after = (to.rng.bytes(2 * int(to.rng.integers(100, 1500))) for _ in range(2))
    if not to.given:
        return
    text = f"Patient={name}\nID={to.who.numbers['mrn']}\n"
    data = before + b"SV10" + b"\0\0" + text.encode(encoding) + b"\0\0" + after
    to.put(BLOBS[maker], data + b"\0" * (len(data) % 2))
    to.note("name", "binary", to.where(BLOBS[maker]), name)
    to.note("mrn", "binary", to.where(BLOBS[maker]), to.who.numbers["mrn"])
