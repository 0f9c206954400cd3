"""Numbered SQL files, each applied once and in order."""

from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 5_782_001


async def migrate(connection: AsyncConnection[Any]) -> list[str]:
    """Apply what is missing, all or nothing; answer the names of the files applied.

    Two copies of the service may start at once: the advisory lock lets one work
    while the other waits and then finds nothing to do.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY)"
        )
        cursor = await connection.execute("SELECT name FROM migrations")
        present = {name for (name,) in await cursor.fetchall()}
        missing = [p for p in sorted(MIGRATIONS.glob("*.sql")) if p.name not in present]
        for path in missing:
            await connection.execute(sql.SQL(path.read_text(encoding="utf-8")))
            await connection.execute(
                "INSERT INTO migrations (name) VALUES (%s)", [path.name]
            )
    return [path.name for path in missing]
