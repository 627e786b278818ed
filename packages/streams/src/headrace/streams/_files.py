"""Files as streams: opened, read, written and closed in worker threads.

The event loop never waits for the disk.
"""

import errno
import os
from collections.abc import Callable
from functools import partial
from io import FileIO
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from anyio import to_thread

from headrace.events import loop
from headrace.streams._errors import (
    InvalidArgTypeError,
    InvalidArgValueError,
    OutOfRangeError,
)
from headrace.streams._high_water_mark import check_high_water_mark
from headrace.streams._readable import Readable
from headrace.streams._writable import Writable

if TYPE_CHECKING:
    from headrace.events.loop import Task

__all__ = [
    "FileReadStream",
    "FileWriteStream",
    "create_read_stream",
    "create_write_stream",
]

T = TypeVar("T")
_Path = str | bytes | os.PathLike[str] | os.PathLike[bytes] | int
_STDOUT_AND_STDERR: Final = (1, 2)
_WRITE_MODES: Final = ("wb", "ab", "xb", "r+b")


async def _in_thread(syscall: str, path: _Path, call: Callable[[], T]) -> T:
    """Run a blocking call; its OSError gets the attributes ours have.

    A thread cannot be interrupted, so neither can this: a file must not be closed while
    a thread still works on it.
    """
    try:
        return await to_thread.run_sync(call)
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, "EIO")
        error.__dict__.update(code=code, syscall=syscall, path=path)
        raise


class _OpenFile:
    """A file, and the one operation that is under way on it.

    Attributes:
        path: Its path, or its number.
        raw: The open file.
        task: The operation.
    """

    __slots__ = ("__weakref__", "_closes", "_mode", "path", "raw", "task")

    def __init__(self, path: Any, mode: str, *, closes: bool) -> None:
        if isinstance(path, bool) or not isinstance(
            path, str | bytes | int | os.PathLike
        ):
            raise InvalidArgTypeError("path", "a path or a file descriptor", path)
        self.path: _Path = path
        self.raw: FileIO | None = None
        self.task: Task | None = None
        self._mode = mode
        # A path must be closed by whoever has opened it.
        self._closes = closes or not isinstance(path, int)

    async def open(self, start: int | None) -> None:
        """Open it and go to `start`."""
        self.raw = await _in_thread("open", self.path, partial(self._open, start))
        loop.current().attach(self)

    def _open(self, start: int | None) -> FileIO:
        path = self.path if isinstance(self.path, int) else os.fspath(self.path)
        raw = FileIO(path, self._mode, closefd=self._closes)
        if start is not None:
            try:
                raw.seek(start)
            except BaseException:
                raw.close()
                raise
        return raw

    async def close(self) -> None:
        """Wait for the operation under way, then close."""
        if self.task is not None:
            await self.task.wait()
        raw, self.raw = self.raw, None
        if raw is not None:
            loop.current().detach(self)
            await _in_thread("close", self.path, raw.close)

    def abort(self) -> None:
        """Close at once; the loop calls this at its end."""
        if self.raw is not None:
            self.raw.close()


class FileReadStream(Readable):
    """The bytes of a file; made by `create_read_stream`.

    Attributes:
        path: The path, or the number, of the file.
        bytes_read: How many bytes were read so far.
    """

    def __init__(
        self,
        file: _OpenFile,
        start: int | None,
        end: int | None,
        high_water_mark: int,
        encoding: str | None,
    ) -> None:
        self.path = file.path
        self.bytes_read = 0
        self._file = file
        self._start = start
        self._left = None if end is None else max(end + 1 - (start or 0), 0)
        super().__init__(high_water_mark=high_water_mark, encoding=encoding)

    async def _construct(self, callback: Callable[..., None]) -> None:
        await self._file.open(self._start)

    def _read(self, size: int) -> None:
        # No `async def`: destroying the stream must not cancel what a thread does.
        wanted = size or 1
        if self._left is not None:
            wanted = min(wanted, self._left)
        self._file.task = self.loop().spawn(
            self._read_chunk(wanted), owner=self._owner, on_error=self.destroy
        )

    async def _read_chunk(self, size: int) -> None:
        raw = self._file.raw
        if raw is None or not size:
            self.push(None)
            return
        chunk = await _in_thread("read", self.path, lambda: raw.read(size))
        self.bytes_read += len(chunk or b"")
        if self._left is not None:
            self._left -= len(chunk or b"")
        self.push(chunk or None)

    async def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        await self._file.close()
        if error is not None:
            raise error


class FileWriteStream(Writable):
    """Writes a file; made by `create_write_stream`.

    Attributes:
        path: The path, or the number, of the file.
        bytes_written: How many bytes were written so far.
    """

    def __init__(
        self, file: _OpenFile, start: int | None, high_water_mark: int
    ) -> None:
        self.path = file.path
        self.bytes_written = 0
        self._file = file
        self._start = start
        self._is_stdio = file.path in _STDOUT_AND_STDERR
        super().__init__(high_water_mark=high_water_mark)

    async def _construct(self, callback: Callable[..., None]) -> None:
        await self._file.open(self._start)

    def _write(
        self, chunk: bytes, encoding: str, callback: Callable[..., None]
    ) -> None:
        self._file.task = self.loop().spawn(
            self._write_all(chunk, callback), owner=self._owner, on_error=callback
        )

    def _writev(
        self, chunks: list[tuple[Any, str]], callback: Callable[..., None]
    ) -> None:
        self._write(b"".join(chunk for chunk, _ in chunks), "buffer", callback)

    async def _write_all(self, chunk: bytes, callback: Callable[..., None]) -> None:
        raw = self._file.raw

        def call() -> None:
            left = memoryview(chunk)
            while left and raw is not None:
                left = left[raw.write(left) or 0 :]

        await _in_thread("write", self.path, call)
        self.bytes_written += len(chunk)
        callback(None)

    async def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        await self._file.close()
        if error is not None:
            raise error


def create_read_stream(
    path: _Path,
    *,
    start: int | None = None,
    end: int | None = None,
    encoding: str | None = None,
    high_water_mark: int = 65536,
    auto_close: bool = True,
) -> FileReadStream:
    """Return a Readable of the bytes of a file, without blocking the loop.

    Args:
        path: A path, or the number of an open file.
        start: The first byte to read; by default where the file stands.
        end: The last byte to read, itself included.
        encoding: As for `Readable.set_encoding`.
        high_water_mark: Bytes to read at once.
        auto_close: Whether to close a file that was given by number.

    Events:
        error: An OSError with `code`, `syscall` and `path`.

    Raises:
        InvalidArgTypeError: If an argument has a wrong type.
        OutOfRangeError: If `end` lies before `start`.
    """
    for name, value in (("start", start), ("end", end)):
        if value is not None:
            check_high_water_mark(value, name)
    if end is not None and end < (start or 0):
        raise OutOfRangeError("end", f"{start or 0} or more", end)
    file = _OpenFile(path, "rb", closes=auto_close)
    return FileReadStream(file, start, end, high_water_mark, encoding)


def create_write_stream(
    path: _Path,
    *,
    mode: Literal["wb", "ab", "xb", "r+b"] = "wb",
    start: int | None = None,
    high_water_mark: int = 65536,
    auto_close: bool = True,
) -> FileWriteStream:
    """Return a Writable into a file, without blocking the loop.

    Args:
        path: A path, or the number of an open file. `pipe` does not end standard output
            and standard error.
        mode: As for `open`: replace the file, append to it, create it, or change it.
        start: Where to write the first byte; by default as `mode` says.
        high_water_mark: Bytes to hold before `write()` returns False.
        auto_close: Whether to close a file that was given by number.

    Events:
        error: An OSError with `code`, `syscall` and `path`.

    Raises:
        InvalidArgTypeError: If an argument has a wrong type.
        InvalidArgValueError: If there is no such `mode`.
        OutOfRangeError: If `start` is negative.
    """
    if mode not in _WRITE_MODES:
        raise InvalidArgValueError("mode", f"must be one of {_WRITE_MODES}", mode)
    if start is not None:
        check_high_water_mark(start, "start")
    file = _OpenFile(path, mode, closes=auto_close)
    return FileWriteStream(file, start, high_water_mark)
