"""Locks that die with their holder: a run belongs to a worker as long as the worker lives, whatever ends it.

Optuna's heartbeats would need clocks that agree and minutes of silence; a lock of the kernel, or of a PostgreSQL session,
is free in the moment a process is killed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from neuro.errors import RunError


class Held(Protocol):
    """A lock that is held until it is closed."""

    def close(self) -> None: ...


class Locks(Protocol):
    def take(self, name: str, wait: bool = False) -> Held | None:
        """Take a lock; None where another holds it and nobody wants to wait."""


class FileLocks:
    """Locks on files of a folder, for workers of one machine (or on a file system that locks)."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, name: str, wait: bool = False) -> Held | None:
        import fcntl

        try:
            file = open(self.folder / f"{name}.lock", "w")  # closing it lets go  # noqa: SIM115
        except OSError as error:
            raise RunError(f"{self.folder / name}.lock cannot be made: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.close()
            return None
        return file


class SessionLocks:
    """Advisory locks of a PostgreSQL database, each held by a session of its own, for workers anywhere."""

    def __init__(self, url: str, sweep: str):
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        self.engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self.sweep = sweep

    def take(self, name: str, wait: bool = False) -> Held | None:
        from sqlalchemy import text

        digest = hashlib.sha256(f"{self.sweep}\n{name}".encode()).digest()
        key = {"key": int.from_bytes(digest[:8], "big", signed=True)}
        session = self.engine.connect()
        if wait:
            session.execute(text("select pg_advisory_lock(:key)"), key)
        elif not session.execute(text("select pg_try_advisory_lock(:key)"), key).scalar():
            session.close()
            return None
        return session
