"""The one error of the loop itself."""

from typing import ClassVar


class NoRunningLoopError(RuntimeError):
    """There is no running event loop in this thread.

    Source: H-150.
    """

    code: ClassVar[str] = "ERR_NO_RUNNING_LOOP"

    def __init__(self) -> None:
        super().__init__("no running event loop: neither asyncio nor trio runs here")
