"""The lock file beside the store: one process owns it, and death gives it back."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from syncengine.errors import StoreFailed, StoreLocked


class Ownership:
    """The exclusive right to the store at a path, kept until `release()` or the end of the process.

    The lock is on the open file, not on its existence, so a crash leaves nothing to clean up; the file stays for ever, since
    removing it could let two processes lock two files of the same name. Programs that are started do not inherit it.
    """

    def __init__(self, path: Path) -> None:
        """Take it; raises StoreLocked naming the owner, StoreFailed where the folder cannot be written."""
        lock_path = path.with_name(path.name + ".lock")
        try:
            self._descriptor: int | None = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreFailed(
                f"{lock_path}: cannot be written: {error.strerror}",
                hint="the store's folder must be writable for the user the engine runs as",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            self.release()
            raise StoreLocked(
                f"{path}: owned by another process (pid {owner or 'unknown'})",
                hint="stop it, or use the commands that reach a running daemon",
            ) from error
        except OSError as error:
            self.release()
            raise StoreFailed(
                f"{lock_path}: cannot be locked: {error.strerror}",
                hint="keep the store on a local disk; this file system knows no locks",
            ) from error
        self._sign()

    def release(self) -> None:
        """Give it back; more than once does no harm."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _sign(self) -> None:
        """Write who owns it, for the message of the next; not being able to is no reason to stop."""
        if self._descriptor is None:
            return
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError:
            pass
