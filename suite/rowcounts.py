"""How many rows a Parquet file has, where nobody vouches for it: a reader makes room for as many as are claimed."""

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_A_BYTE = 64
"""The most rows that one byte of a file may stand for: what the footer says of a group of 4,096 alone is longer."""


def check_rows(metadata: pq.FileMetaData, size: int) -> None:
    """Raises pa.ArrowInvalid where the groups of rows are not the file's, or are more than so many bytes can hold."""
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    if any(rows < 0 for rows in groups) or sum(groups) != metadata.num_rows:
        raise pa.ArrowInvalid(f"its groups have {sum(groups):,} rows, and it {metadata.num_rows:,}")
    if metadata.num_rows > ROWS_A_BYTE * size:
        raise pa.ArrowInvalid(f"it claims {metadata.num_rows:,} rows in {size:,} bytes")
