"""The 51 states (with the District of Columbia) of which every simulated world is made, from federal statistics.

Drivers and the share of women among them: American Community Survey, table B24010, mean of the 1-year estimates of 2016
to 2018. Minority share: everyone but white people who are not Hispanic, table B03002, 2018. Income: the median of
households, table B19013, 2018, in dollars of that year. All are works of the United States government.
"""

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement.panel import Floats

_TABLE = """
AK   6369   1104  1433 10.6 26.9 22.7 39.9 74346
AL  58238   3820  8912  7.6 25.2 58.6 34.7 49861
AR  40506   2222  3652  7.1 27.3 33.1 27.9 47062
AZ  61825  16358  9366  7.5 24.5 35.0 45.7 59246
CA 412752  99374 49115  6.9 16.6 39.3 63.4 75277
CO  60389  10787  8996  7.4 19.0 29.9 32.2 71953
CT  27891   5841  8856  6.3 18.4 49.7 33.7 76348
DC   2735   2832   983 23.3 13.5 33.8 63.1 85203
DE  10308   1544  2790  6.2 28.5 40.7 38.2 64805
FL 223368  49935 27228  8.3 17.4 45.2 46.7 55462
GA 129492  19418 18184  9.5 28.0 66.0 47.8 58756
HI  10586   4628  2887  7.3 16.3 24.9 78.3 80212
IA  48940   2031  5009  5.9 19.6 29.7 14.6 59955
ID  23648   1117  3099  5.7 23.6 44.1 18.2 55583
IL 162005  37419 26521  6.1 16.3 48.2 39.1 65030
IN  85257   6979 10911  6.5 21.9 63.9 21.3 55746
KS  33680   2888  4293  8.3 21.1 48.3 24.4 58218
KY  53296   4791  7886  6.4 18.7 43.3 15.5 50247
LA  51323   6581 10313  9.1 21.9 64.2 41.6 47905
MA  57002  19447 13640  6.9 14.3 41.0 29.3 79835
MD  56676  19288 15653  8.7 15.5 43.9 49.8 83242
ME  14863   1866  2137  4.7 31.4 45.7  7.0 55602
MI 110258  11729 16412  6.7 17.5 53.1 25.2 56697
MN  63608   8029 12699  5.6 12.4 31.5 20.6 70315
MO  77166   7602 11281  6.8 17.1 52.2 20.7 54478
MS  43851   2724  4818  6.7 28.9 46.5 43.6 44717
MT  13158    797  1593  7.1 35.7 27.2 14.1 55328
NC 120298  12469 13914  6.6 26.0 65.3 37.3 53855
ND  12292    717  1343  4.9 27.6 42.6 16.2 63837
NE  25918   2142  2641  6.4 19.7 34.9 21.5 59566
NH  15142   1772  2149  4.2 20.7 48.5 10.2 74991
NJ 100676  25109 21376  4.5 11.5 47.4 45.4 81740
NM  19745   1994  2493  8.2 26.8 49.4 63.1 47169
NV  30417  15765  4237 10.0 13.9 37.7 51.6 58646
NY 164503 101596 62426  4.2  5.8 32.0 44.8 67844
OH 145328  16356 22851  6.4 22.5 52.3 21.4 56111
OK  50781   3292  3957  7.9 23.1 36.0 34.8 51924
OR  40007   5989  6951  8.8 22.4 43.5 24.9 63426
PA 155123  22593 29241  5.0 17.3 48.5 24.1 60905
RI  10725   2249  2445  4.3 12.1 43.7 28.6 64340
SC  56301   5885  6146  7.1 22.0 63.9 36.5 52306
SD  11378    794  1610  5.0 12.4 21.6 18.5 56274
TN  81672   9428  9234  7.9 17.2 48.9 26.4 52375
TX 353445  40215 38088  6.7 16.5 50.0 58.6 60629
UT  31352   2664  4226  5.8 17.3 44.0 22.2 71414
VA  83498  19217 19085  7.9 15.1 54.0 38.7 72577
VT   6479    563   879  5.5 15.3 23.5  7.4 60782
WA  76419  12493 14369  8.6 16.6 45.5 32.2 74073
WI  73912   7056 10040  6.2 21.7 40.1 19.0 60773
WV  22634   1920  3462  3.4 28.9 29.0  8.0 44097
WY   9377    550  1716 12.0 19.9 42.9 16.0 61584
"""
# state; drivers of trucks, taxis and other cars, buses; % women among each; % of a minority; median income

_ROWS = [line.split() for line in _TABLE.split("\n") if line]
_NUMBERS = np.array([row[1:] for row in _ROWS], dtype=np.float64)

STATES: tuple[str, ...] = tuple(row[0] for row in _ROWS)
OCCUPATIONS = ("heavy", "light", "taxi", "bus")
"""Heavy and tractor-trailer trucks, light and delivery trucks, taxis and other hired cars, buses."""

HEAVY_SHARE = 2_070_480 / (2_070_480 + 994_410 + 417_420)
"""Heavy among all truck drivers; the others drive light trucks or sell from them (OEWS, May 2024)."""

SUN_BELT: npt.NDArray[np.bool_] = np.isin(
    STATES, ["AL", "AR", "AZ", "CA", "FL", "GA", "KS", "LA", "MS", "NC", "NM", "NV", "OK", "SC", "TN", "TX", "UT"]
)
"""(51,) where driverless vehicles are assumed to come first: those usually counted, less Colorado for its winters."""

_TRUCK, _TAXI, _BUS = _NUMBERS[:, :3].T
EMPLOYMENT: Floats = np.stack([_TRUCK * HEAVY_SHARE, _TRUCK * (1 - HEAVY_SHARE), _TAXI, _BUS], axis=1)
"""(51, 4) drivers by occupation, mean of 2016 to 2018; heavy and light trucks are parted alike in every state."""
WOMEN_SHARE: Floats = _NUMBERS[:, [3, 3, 4, 5]] / 100
"""(51, 4) share of women among them."""
MINORITY_SHARE: Floats = _NUMBERS[:, 6] / 100
"""(51,) of the population."""
MEDIAN_INCOME: Floats = _NUMBERS[:, 7]
"""(51,) of households, dollars a year."""


def terciles(values: Floats) -> npt.NDArray[np.str_]:
    """Name the third of the states that each is in by its value: ``low``, ``middle`` or ``high``, 17 states each."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.array(["low", "middle", "high"])[3 * rank // len(values)]
