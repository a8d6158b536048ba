"""Move a project's stores to another place: the paths that ZenML and MLflow wrote into their databases and files."""

import sqlite3
from contextlib import closing
from pathlib import Path

SQLITE = b"SQLite format 3\0"
TEXTS = (".yaml", ".yml", ".json")


def relocate(folder: Path, old: str, new: str) -> None:
    """Write `new` wherever `old` stands in a database, YAML or JSON below `folder`. Predictor folders name no place."""
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        if file.read_bytes()[: len(SQLITE)] == SQLITE:
            _in_database(file, old, new)
        elif file.suffix in TEXTS and old in (text := file.read_text()):
            file.write_text(text.replace(old, new))


def _in_database(file: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
                _in_column(database, f'"{table}"', f'"{column}"', old, new)
        database.execute("VACUUM")


def _in_column(database: sqlite3.Connection, table: str, column: str, old: str, new: str) -> None:
    found = f"typeof({column}) = 'text' AND instr({column}, ?) > 0"
    database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?) WHERE {found}", (old, new, old))
