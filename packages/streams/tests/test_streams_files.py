"""Files as streams, without blocking the loop."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from headrace.streams import (
    InvalidArgTypeError,
    InvalidArgValueError,
    OutOfRangeError,
    Readable,
    consumers,
    create_read_stream,
    create_write_stream,
    finished,
    pipeline,
)
from headrace.streams.testing import (
    READABLE_CHECKS,
    WRITABLE_CHECKS,
    EventLog,
    closed,
)

DATA = bytes(range(256)) * 1000


def contents(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return path


async def test_reading_a_file(path: Path) -> None:
    """All its bytes, in chunks of the mark; `bytes_read` counts (H-171 programs)."""
    stream = create_read_stream(path, high_water_mark=1000)
    sizes = {len(chunk) async for chunk in stream}
    assert max(sizes) <= 2000
    assert stream.bytes_read == len(DATA)
    assert stream.path == path
    assert await consumers.buffer(create_read_stream(str(path))) == DATA
    assert await consumers.buffer(create_read_stream(os.fsencode(path))) == DATA


async def test_reading_a_range(path: Path) -> None:
    """`start` and `end` count bytes, `end` itself included (Node: fs)."""
    for start, end in ((0, 0), (5, 9), (None, 3), (255_990, None), (255_999, 300_000)):
        stream = create_read_stream(path, start=start, end=end)
        stop = None if end is None else end + 1
        assert await consumers.buffer(stream) == DATA[start:stop]


async def test_reading_text(tmp_path: Path) -> None:
    """With an encoding it gives text (H-159)."""
    (tmp_path / "text").write_text("a€b", "utf-8")
    stream = create_read_stream(tmp_path / "text", encoding="utf8", high_water_mark=2)
    assert await consumers.text(stream) == "a€b"


async def test_writing_a_file(path: Path) -> None:
    """Replace, append, create, change: the modes of `open` (Node: fs)."""
    other = path.with_name("other")
    stream = create_write_stream(path)
    stream.write(b"a")
    stream.end(b"bc")
    await finished(stream)
    assert stream.bytes_written == 3
    await finished(create_write_stream(path, mode="ab").end("é"))
    await finished(create_write_stream(path, mode="r+b", start=1).end(b"X"))
    assert contents(path) == b"aXc\xc3\xa9"
    await finished(create_write_stream(other, mode="xb").end(b"new"))
    assert contents(other) == b"new"


async def test_copying_a_file(path: Path) -> None:
    """From file to file through a pipeline, byte for byte (N-171)."""
    copy = path.with_name("copy")
    await pipeline(create_read_stream(path), create_write_stream(copy))
    assert contents(copy) == DATA


async def test_all_work_is_done_in_threads(path: Path) -> None:
    """The thread of the loop never touches the file."""
    threads: set[int] = set()
    stream = create_read_stream(path)

    async def spy() -> None:
        async for _ in stream:
            raw = stream._file.raw
            assert raw is not None
            threads.add(threading.get_ident())
            break

    await spy()
    await closed(stream)
    assert stream._file.raw is None
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("make", [create_read_stream, create_write_stream])
async def test_files_that_cannot_be_opened(make: Any, tmp_path: Path) -> None:
    """An OSError with `code`, `syscall` and `path` is the error (H-011)."""
    missing = tmp_path / "missing" / "file"
    stream = make(missing)
    log = EventLog(stream, "error", "close")
    await closed(stream)
    error: Any = stream.errored
    assert log.names == ["error", "close"]
    assert type(error) is FileNotFoundError
    assert error.__dict__ == {"code": "ENOENT", "syscall": "open", "path": missing}


async def test_reading_a_directory(tmp_path: Path) -> None:
    """What the system says is the error (H-011)."""
    stream = create_read_stream(tmp_path)
    stream.resume()
    with pytest.raises(IsADirectoryError):
        await finished(stream)
    await closed(stream)


async def test_destroying_while_a_thread_reads(path: Path) -> None:
    """The file is closed after the thread has let go of it (H-164)."""
    stream = create_read_stream(path)
    stream.resume()
    while stream._file.task is None:
        await stream.loop().checkpoint()
    stream.destroy()
    await closed(stream)
    assert stream._file.raw is None
    assert stream._file.task.done


async def test_destroying_before_the_file_is_open(path: Path) -> None:
    """It is opened, closed, and leaves no warning behind (H-164)."""
    stream = create_write_stream(path)
    stream.write(b"never")
    stream.on("error", lambda error: None)
    stream.destroy(OSError("no"))
    await closed(stream)
    assert stream._file.raw is None
    assert contents(path) == b""


async def test_file_descriptors(path: Path) -> None:
    """With `auto_close=False` a given number stays open (Node: fs)."""
    descriptor = os.open(path, os.O_RDONLY)
    stream = create_read_stream(descriptor, auto_close=False, start=10, end=19)
    assert await consumers.buffer(stream) == DATA[10:20]
    await closed(stream)
    os.lseek(descriptor, 0, os.SEEK_SET)
    stream = create_read_stream(descriptor)
    assert await consumers.buffer(stream) == DATA
    await closed(stream)
    with pytest.raises(OSError, match="descriptor"):
        os.close(descriptor)


async def test_pipe_does_not_end_standard_output() -> None:
    """Number 1 and 2 stand for stdout and stderr (H-160)."""
    stream = create_write_stream(2, auto_close=False)
    Readable.from_([b""], object_mode=False).pipe(stream)
    await stream.loop().checkpoint()
    assert not stream.writable_ended
    stream.destroy()
    await closed(stream)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"path": None}, InvalidArgTypeError),
        ({"path": True}, InvalidArgTypeError),
        ({"path": "x", "start": -1}, OutOfRangeError),
        ({"path": "x", "start": "1"}, InvalidArgTypeError),
        ({"path": "x", "start": 5, "end": 4}, OutOfRangeError),
    ],
    ids=["none", "bool", "negative", "text", "order"],
)
async def test_wrong_arguments(options: dict[str, Any], kind: type[Exception]) -> None:
    """They raise at once (H-011)."""
    with pytest.raises(kind):
        create_read_stream(**options)
    if "end" not in options:
        with pytest.raises(kind):
            create_write_stream(**options)


@pytest.mark.parametrize("check", READABLE_CHECKS)
async def test_readable_contract_of_files(check: Any, tmp_path: Path) -> None:
    """A file keeps each rule of a Readable (H-155 to H-162)."""
    count = 0

    async def make(chunks: list[bytes]) -> Readable:
        nonlocal count
        count += 1
        path = tmp_path / str(count)
        path.write_bytes(b"".join(chunks))
        return create_read_stream(path, high_water_mark=100)

    await check(make)


@pytest.mark.parametrize("check", WRITABLE_CHECKS)
async def test_writable_contract_of_files(check: Any, tmp_path: Path) -> None:
    """A file keeps each rule of a Writable (H-163)."""
    path = tmp_path / "file"

    async def make() -> Any:
        return create_write_stream(
            path
        ), lambda: path.read_bytes() if path.exists() else b""

    await check(make)


def test_wrong_modes_raise_at_once(path: Path) -> None:
    """A mode for reading, or none at all, would only fail in a thread (H-011)."""
    for mode in ("rb", "w", "q"):
        with pytest.raises(InvalidArgValueError, match="mode"):
            create_write_stream(path, mode=mode)  # type: ignore[arg-type]
    assert contents(path) == DATA


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_fails_the_write_and_the_stream() -> None:
    """The callback and ``error`` get the OSError with its code; nothing stays open."""
    stream = create_write_stream("/dev/full")
    log, told = EventLog(stream, "finish", "error", "close"), list[Any]()
    stream.write(b"x", told.append)
    await closed(stream)
    assert log.names == ["error", "close"]
    assert told == [stream.errored]
    assert getattr(told[0], "code", None) == "ENOSPC"
