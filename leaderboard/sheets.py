"""Contact sheets and lists of leaks on a method's page: what was seen in what a method wrote."""

from collections.abc import Mapping
from typing import Any

from fourfold.suite import exhibit

CARRIED = 1_500_000
"""Characters of pictures that a page carries, shared evenly among its datasets."""


def view(exhibits: Mapping[str, Mapping[str, Any]], share: int) -> dict[str, Any] | None:
    """What a page shows of a cell's contact sheets and leaks; None where it has neither.

    share: the characters of pictures to be carried; each sheet's ``left_out`` counts those that did not fit.
    """
    leaks = [each for each in exhibits.values() if each["kind"] == "leaks"]
    found = [each for each in exhibits.values() if each["kind"] == "sheet" and each["images"]]
    sheets = [_sheet(each, share // len(found)) for each in found]
    return {"sheets": sheets, "leaks": leaks} if sheets or leaks else None


def _sheet(sheet: Mapping[str, Any], share: int) -> dict[str, Any]:
    shown, spent = [], 0
    for image in sheet["images"]:
        spent += len(image["png"])
        if spent > share:
            break
        width, height = exhibit.size(image["png"])
        shown.append({**image, "width": width, "height": height})
    return {**sheet, "images": shown, "left_out": len(sheet["images"]) - len(shown)}
