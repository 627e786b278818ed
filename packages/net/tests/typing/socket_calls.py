"""Calls and events of sockets and servers, as checkers see them.

Only checkers read this file; each `type: ignore` marks an error that both must find.
"""

from pathlib import Path
from typing import assert_type

from headrace import net


def on_signal() -> None: ...
def on_chunk(chunk: bytes) -> None: ...
def on_error(error: Exception) -> None: ...
def on_connection(accepted: net.Socket) -> None: ...
def on_text(text: str) -> None: ...
async def on_signal_later() -> None: ...


def sockets() -> None:
    assert_type(net.connect(80), net.Socket)
    assert_type(net.connect(80, "localhost", on_signal), net.Socket)
    assert_type(net.connect(Path("/s"), on_signal), net.Socket)
    assert_type(net.connect({"port": 80}, on_signal_later), net.Socket)
    assert_type(net.connect(port=80, host="localhost", no_delay=True), net.Socket)
    assert_type(net.connect_tls(443, "localhost"), net.TLSSocket)
    net.connect(port=80, hots="localhost")  # type: ignore[call-overload]
    net.connect(80, on_chunk)  # type: ignore[arg-type]


def socket_events(socket: net.Socket) -> None:
    assert_type(socket.on("connect", on_signal), net.Socket)
    socket.on("data", on_chunk).once("error", on_error).on("close", on_signal_later)
    socket.on("connect", on_chunk)  # type: ignore[call-overload]
    socket.on("conect", on_signal)  # type: ignore[call-overload]
    socket.on("error", on_text)  # type: ignore[call-overload]
    socket.custom.on("conect", on_signal)

    @socket.on("lookup")
    def looked_up(
        error: Exception | None, address: str | None, family: int | None, host: str
    ) -> None: ...


def servers(server: net.Server) -> None:
    assert_type(server.listen(0, "127.0.0.1", 511, on_signal), net.Server)
    server.listen("/s").listen({"port": 0}).listen(on_signal).listen(port=0)
    server.on("connection", on_connection).on("listening", on_signal)
    server.on("connection", on_text)  # type: ignore[call-overload]
    server.listen(prot=0)  # type: ignore[call-overload]
    net.create_server(pause_on_connect=True)
    net.create_server(pause=True)  # type: ignore[call-arg]
