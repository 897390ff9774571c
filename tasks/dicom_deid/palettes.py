"""What colours the samples of a palette stand for."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pydicom import FileDataset


def coloured(samples: npt.NDArray[Any], dataset: "FileDataset") -> npt.NDArray[Any]:
    """Samples (...) of PALETTE COLOR as their colours (..., 3): PS3.3, C.7.6.3.1.5. Raises where there is no palette.

    pydicom takes a palette's words for little endian whatever the file's byte order is.
    """
    from pydicom.pixels import apply_color_lut

    colours = np.asarray(apply_color_lut(samples, dataset))
    swapped = dataset.original_encoding[1] is False and "RedPaletteColorLookupTableData" in dataset
    return colours.byteswap() if swapped else colours
