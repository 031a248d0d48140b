"""Tables as Parquet: the same columns, integers as int64, floats as doubles."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from neuro.errors import TableError
from neuro.tables.columns import kind_of

TYPES = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}
MAX_ROWS = 200_000_000


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Write a table as the bytes of a Parquet file; the same rows give the same bytes."""
    arrays = {name: pa.array(frame[name].to_numpy(), type=TYPES[kind_of(name)]) for name in frame.columns}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays), sink)
    return sink.getvalue().to_pybytes()


def from_parquet(data: bytes, columns: tuple[str, ...], file: str) -> pd.DataFrame:
    """Read a table back; raises TableError naming the file where columns, types or cells are not a table's."""
    try:
        table = _open(data, columns, file)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = str(error).split("\n")[0][:200]
        raise TableError(f"{file}: is not a readable Parquet file ({reason}); export the tables again") from None
    for name in columns:
        if table[name].null_count:
            raise TableError(f"{file}: column {name} has {table[name].null_count} empty cells, allowed: none")
    return pd.DataFrame({name: table[name].to_numpy() for name in columns}, columns=list(columns))


def _open(data: bytes, columns: tuple[str, ...], file: str) -> pa.Table:
    parquet = pq.ParquetFile(pa.BufferReader(data))
    schema = parquet.schema_arrow
    if tuple(schema.names) != columns:
        raise TableError(f"{file}: columns are {', '.join(schema.names)[:200]}; allowed: exactly {', '.join(columns)}")
    for field in schema:
        wanted = TYPES[kind_of(field.name)]
        if field.type != wanted and not (pa.types.is_large_string(field.type) and wanted == pa.string()):
            raise TableError(f"{file}: column {field.name} holds {field.type}, allowed: {wanted}")
    if parquet.metadata.num_rows > MAX_ROWS:
        raise TableError(f"{file}: has {parquet.metadata.num_rows} rows, allowed: at most {MAX_ROWS}")
    table = parquet.read()
    table.validate(full=True)
    return table
