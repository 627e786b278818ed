"""What a client is told about an informational response (X-050)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.http_parser import ResponseHead


class Information:
    """A 1xx response, any but 101.

    Attributes:
        status_code: 100 to 199.
        status_message: The reason phrase; ``""`` when absent.
        http_version: ``"1.1"`` or ``"1.0"``.

    Source: X-050, H-077.
    """

    __slots__ = ("_head", "http_version", "status_code", "status_message")

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self.status_code = head.status_code
        self.status_message = head.status_message
        self.http_version = head.http_version

    @property
    def http_version_major(self) -> int:
        """The part of `http_version` before the dot."""
        return int(self.http_version.partition(".")[0])

    @property
    def http_version_minor(self) -> int:
        """The part of `http_version` behind the dot."""
        return int(self.http_version.partition(".")[2])

    @property
    def headers(self) -> dict[str, Any]:
        """Lower-case names to values, merged as in a response (H-108)."""
        return dict(self._head.headers)

    @property
    def raw_headers(self) -> list[str]:
        """``[name, value, name, value, …]`` exactly as received (H-109)."""
        return self._head.raw_headers

    def __repr__(self) -> str:
        return f"<Information {self.status_code} {self.status_message}>"
