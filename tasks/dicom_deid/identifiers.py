"""Whether the identifiers of an output still say what belongs together: UIDs, patient IDs, and what refers to them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.key import Instance
from fourfold.tasks.dicom_deid.values import Index, at, first, text

PATIENT, STUDY, SERIES, FRAME = "(0010,0020)", "(0020,000D)", "(0020,000E)", "(0020,0052)"
CLASS, INSTANCE = "(0008,0016)", "(0008,0018)"
META_CLASS, META_INSTANCE = "(0002,0002)", "(0002,0003)"


def uids_intact(
    instances: Sequence[Instance], given: Mapping[str, Index], written: Mapping[str, Index]
) -> npt.NDArray[np.float64]:
    """Whether the UIDs of each instance (instances,) hold together, 1 or 0: these three, as far as they did before.

    Its SOP Instance UID is there, no other instance's, and with its SOP class what the meta information says. Each
    reference to the UID of an instance, series, study or frame of reference that was given resolves to the same one.
    """
    owners = _owners(instances, given)
    mine = {one.path: _own(written.get(one.path, {})) for one in instances}
    old = {one.path: _own(given.get(one.path, {})) for one in instances}
    times, times_before = Counter(filter(None, mine.values())), Counter(old.values())
    kept = np.zeros(len(instances))
    for number, one in enumerate(instances):
        was, now = given.get(one.path, {}), written.get(one.path, {})
        kept[number] = (
            bool(now)
            and (not old[one.path] or 0 < times[mine[one.path]] <= times_before[old[one.path]])
            and _agrees(was, now)
            and all(_resolves(place, number, owners[uid], now, written) for place, number, uid in _links(was, owners))
        )
    return kept


def maps_injective(
    instances: Sequence[Instance], given: Mapping[str, Index], written: Mapping[str, Index], patients: int
) -> npt.NDArray[np.float64]:
    """Whether each patient (patients,) is still one and nobody else, 1 or 0; nan for one without files.

    All files of the patient must be there; their patient ID, and of each study, series and frame of reference the UID,
    must have become one value each, which nothing else became.
    """
    kept = np.full(patients, np.nan)
    for one in instances:
        if 0 <= one.patient < patients:
            kept[one.patient] = 1.0
    for place in (PATIENT, STUDY, SERIES, FRAME):
        became: dict[tuple[int, str], set[str]] = {}
        for one in instances:
            was = first(given.get(one.path, {}), place)
            if was:
                thing = (one.patient, "" if place == PATIENT else was)
                became.setdefault(thing, set()).add(first(written.get(one.path, {}), place))
        times = Counter(value for values in became.values() for value in values)
        for (patient, _), values in became.items():
            if (len(values) > 1 or "" in values or any(times[value] > 1 for value in values)) and patient >= 0:
                kept[patient] = 0.0
    for one in instances:
        if not written.get(one.path) and 0 <= one.patient < patients:
            kept[one.patient] = 0.0
    return kept


def _own(index: Index) -> str:
    """The UID of an instance; of a directory, which has none, that of its meta information."""
    return first(index, INSTANCE) or ("" if CLASS in index else first(index, META_INSTANCE))


def _owners(instances: Sequence[Instance], given: Mapping[str, Index]) -> dict[str, list[tuple[str, str]]]:
    """By UID the places of the elements that assign it: the path of a file, and the place in it."""
    owners: dict[str, list[tuple[str, str]]] = {}
    for one in instances:
        for place in (INSTANCE, SERIES, STUDY, FRAME):
            uid = first(given.get(one.path, {}), place)
            if uid:
                owners.setdefault(uid, []).append((one.path, place))
    return owners


def _links(index: Index, owners: Mapping[str, object]) -> Iterator[tuple[str, int, str]]:
    """Each reference of a file to a UID that a given file has: its place, its number among the values, the UID."""
    for place, (element, *_) in index.items():
        if element.VR == "UI" and "[]" not in place and place not in (INSTANCE, META_INSTANCE):
            for number, uid in enumerate(text(element.value).split("\\")):
                if uid in owners:
                    yield place, number, uid


def _resolves(
    place: str, number: int, owners: Sequence[tuple[str, str]], now: Index, written: Mapping[str, Index]
) -> bool:
    """Whether a reference is still there and names what one of the owners of its UID is called now."""
    wanted = {first(written.get(path, {}), where) for path, where in owners} - {""}
    for element in at(now, place):
        values = text(element.value).split("\\")
        if number < len(values) and values[number] in wanted:
            return True
    return False


def _agrees(was: Index, now: Index) -> bool:
    """Whether the SOP class is the given one, and the meta information says what the dataset says where it did."""
    if first(now, CLASS) != first(was, CLASS):
        return False
    pairs = ((META_INSTANCE, INSTANCE), (META_CLASS, CLASS))
    return all(
        first(now, meta) == first(now, inside)
        for meta, inside in pairs
        if inside in was and first(was, meta) == first(was, inside)
    )
