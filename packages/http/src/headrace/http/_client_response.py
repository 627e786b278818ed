"""The response as a client holds it: an IncomingMessage that tells when it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from headrace.http._incoming import (
    DEFAULT_LIMIT,
    BodySource,
    IncomingMessage,
    Unlimited,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class ResponseSource(BodySource, Protocol):
    """Where a response comes from, and who must know when it is over."""

    def message_over(self, message: IncomingMessage) -> None:
        """Take note that a complete response was read, or thrown away."""


class ClientResponse(IncomingMessage):
    """A response; for users it is an `IncomingMessage`."""

    __slots__ = ()

    _source: ResponseSource | None

    async def body(self, limit: int | Unlimited | None = DEFAULT_LIMIT) -> bytes:
        """Collect the whole body; see `IncomingMessage.body`.

        When it raises, also by being cancelled, the connection is given up.
        """
        try:
            return await super().body(limit)
        except BaseException:
            self.destroy()
            raise

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        # A message destroys itself behind the listeners of its ``end``. The source is
        # told first: the request's ``close`` comes before the response's (H-071).
        source = self._source
        if self.complete and source is not None:
            self._source = None
            source.message_over(self)
        super()._destroy(error, callback)
