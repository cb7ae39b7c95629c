"""One transaction on an SQLite ledger: records to rows, and back."""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import define, fields

from luma_async._api.sansio.validation import check_id, check_order
from luma_async.batch.ledger.sansio.record import Record, Run
from luma_async.errors import LedgerError
from luma_async.models import Order

_ORDER_COLUMNS = tuple(one.name for one in fields(Order))
_OWN_COLUMNS = tuple(one.name for one in fields(Record) if one.name != "order")
_MOMENTS = tuple(name for name in _OWN_COLUMNS if name.endswith("_at"))
_COLUMNS = (*_OWN_COLUMNS, *_ORDER_COLUMNS, "checksum")
_LIST = ", ".join(_COLUMNS)
_PLACES = ", ".join(f":{name}" for name in _COLUMNS)
_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "number")
_WRITE = (
    f"INSERT INTO orders ({_LIST}) VALUES ({_PLACES}) "  # noqa: S608 - our own names
    f"ON CONFLICT (number) DO UPDATE SET {_CHANGED}"
)


@define(eq=False)
class SqliteTransaction:
    """One transaction on an SQLite file."""

    _connection: sqlite3.Connection

    def find(self, order_id: str) -> Record | None:
        """Return the record of an order."""
        return self._one("order_id", order_id)

    def holder(self, generation_id: str) -> Record | None:
        """Return the record that a generation belongs to."""
        return self._one("generation_id", generation_id)

    def records(self) -> list[Record]:
        """Return all records by their numbers."""
        rows = self._connection.execute(f"SELECT {_LIST} FROM orders ORDER BY number")  # noqa: S608
        return [_record(row) for row in rows]

    def write(self, record: Record) -> None:
        """Add or replace a record, and record the change as an event."""
        self._connection.execute(_WRITE, _row(record))
        self._connection.execute(
            "INSERT INTO events (at, order_number, state, generation_id, reason) "
            "VALUES (?, ?, ?, ?, ?)",
            (now(), record.number, record.state, record.generation_id, record.reason),
        )

    def spent(self) -> int:
        """Return the tokens that were paid, or may have been."""
        (tokens,) = self._connection.execute("SELECT ifnull(sum(tokens), 0) FROM orders").fetchone()
        return int(tokens)

    def runs(self) -> list[Run]:
        """Return all runs, the first one first."""
        rows = self._connection.execute("SELECT number, has_baseline FROM runs ORDER BY number")
        return [Run(number=number, has_baseline=bool(baseline)) for number, baseline in rows]

    def write_run(self, run: Run) -> None:
        """Add or replace a run."""
        self._connection.execute(
            "INSERT INTO runs (number, began_at, has_baseline) VALUES (?, ?, ?) "
            "ON CONFLICT (number) DO UPDATE SET has_baseline = excluded.has_baseline",
            (run.number, now(), run.has_baseline),
        )

    def seen(self) -> Mapping[str, int]:
        """Return the generations that no order became, each with the run that first saw it."""
        return dict(self._connection.execute("SELECT generation_id, run FROM foreign_generations"))

    def see(self, generation_ids: Iterable[str], run: int) -> None:
        """Record generations that were in the account when a run began."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO foreign_generations (generation_id, run) VALUES (?, ?)",
            [(generation_id, run) for generation_id in generation_ids],
        )

    def _one(self, column: str, value: str) -> Record | None:
        row = self._connection.execute(
            f"SELECT {_LIST} FROM orders WHERE {column} = ?",  # noqa: S608 - our own names
            (value,),
        ).fetchone()
        return None if row is None else _record(row)


def _row(record: Record) -> dict[str, object]:
    own = {name: getattr(record, name) for name in _OWN_COLUMNS}
    for name in _MOMENTS:
        own[name] = None if own[name] is None else own[name].isoformat()
    row = own | {name: getattr(record.order, name) for name in _ORDER_COLUMNS}
    return row | {"checksum": _checksum(row.values())}


def _checksum(values: Iterable[object]) -> int:
    """Return a CRC-32 of all columns of a row: SQLite itself has none."""
    # SQLite stores booleans as integers.
    plain = [int(value) if isinstance(value, bool) else value for value in values]
    return zlib.crc32(json.dumps(plain).encode())


def _record(row: Sequence[Any]) -> Record:
    values = dict(zip(_COLUMNS, row, strict=True))
    try:
        if values.pop("checksum") != _checksum(values.values()):
            raise ValueError("its checksum differs")
        for name in _MOMENTS:
            values[name] = None if values[name] is None else datetime.fromisoformat(values[name])
        order = {name: values.pop(name) for name in _ORDER_COLUMNS}
        order["expand_prompt"] = bool(order["expand_prompt"])
        values["adopted"] = bool(values["adopted"])
        record = Record(**values, order=Order(order.pop("user_prompt"), **order))
        check_order(record.order)
        if record.generation_id is not None:
            check_id(record.generation_id)
    except (ValueError, TypeError) as error:
        raise LedgerError(f"the record of order {row[1]} is damaged: {error}") from None
    return record


def now() -> str:
    """Return the time as it is written into the ledger."""
    return datetime.now(UTC).isoformat()
