"""A folder that appears under its name whole, or not at all, whoever else writes there and whenever a process dies."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spread.errors import NotWritable

_ROUNDS = 20  # times that two writers of one folder may get in each other's way before one gives up
_IN_THE_WAY = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT)


def check_writable(folder: Path, mark: str) -> None:
    """Refuse a place where a folder cannot go, before any work is done.

    Parameters
    ----------
    folder : Path
        Where it should go.
    mark : str
        Name of what an older folder of the same kind holds; such a one may be replaced.

    Raises
    ------
    NotWritable
        If something else is there, or its parent cannot be written.
    """
    folder = Path(folder).absolute()
    if folder.exists() and not (folder / mark).is_dir() and (not folder.is_dir() or any(folder.iterdir())):
        raise NotWritable(f"report {folder}: something else is there; give another --out, or remove it")
    parent = next(p for p in (folder.parent, *folder.parents) if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise NotWritable(f"report {folder}: no permission to write in {parent}; give another --out")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder aside; it gets its name when the block ends, and only then.

    Parameters
    ----------
    folder : Path
        The name it gets; an older folder there is replaced.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    NotWritable
        If the file system refuses; then nothing is left behind.
    """
    aside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        aside = Path(tempfile.mkdtemp(prefix=_prefix(folder, os.getpid()), dir=folder.parent))
        yield aside
        aside.chmod(0o755)
        _flush(aside)
        _take_place(aside, folder)
    except OSError as error:
        raise NotWritable(f"report {folder}: {_cause(error)}; nothing was written") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _prefix(folder: Path, process: int | str) -> str:
    return f".{folder.name}.{socket.gethostname()}.{process}."


def _sweep(folder: Path) -> None:
    """Remove what processes of this host that are dead left aside."""
    for left in folder.parent.glob(_prefix(folder, "*") + "*"):
        process = left.name.removeprefix(_prefix(folder, "")[:-1]).split(".")[0]
        if process.isdigit() and not _alive(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _cause(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space or give another --out"
    return f"{error.strerror or error}"


def _flush(folder: Path) -> None:
    """Bring every file to the disk before the folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _take_place(aside: Path, folder: Path) -> None:
    """Give the new folder its name; an older one steps aside first, and comes back if the new one cannot come in."""
    for attempt in range(_ROUNDS):
        old: Path | None = aside.with_name(f"{aside.name}.old{attempt}")
        try:
            folder.rename(str(old))
        except FileNotFoundError:
            old = None
        try:
            aside.rename(folder)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                if old is not None:
                    old.rename(folder)
                raise
            # another process put its folder there in between: it is as whole as ours, and ours is the later one
        else:
            return
        finally:
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)
    raise OSError(errno.EBUSY, "another process keeps writing the same report")
