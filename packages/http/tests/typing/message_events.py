"""Events of HTTP servers, requests, responses and agents, as checkers see them.

Only checkers read this file; each `type: ignore` marks an error that both must find.
"""

from collections.abc import Mapping
from typing import Any, assert_type

from headrace import http, https
from headrace.net import Socket


def on_signal() -> None: ...
def on_bytes(chunk: bytes) -> None: ...
def on_text(chunk: str) -> None: ...
def on_number(number: int) -> None: ...
def on_socket(socket: Socket) -> None: ...
def on_response(response: http.IncomingMessage) -> None: ...
def on_free(socket: Socket, options: Mapping[str, Any]) -> None: ...
def on_client_error(error: Exception, socket: Socket) -> None: ...
def on_switch(message: http.IncomingMessage, socket: Socket, head: bytes) -> None: ...
async def on_request(
    request: http.IncomingMessage, response: http.ServerResponse
) -> None: ...


def servers(server: http.Server) -> None:
    assert_type(server.on("request", on_request), http.Server)
    server.on("check_continue", on_request).once("check_expectation", on_request)
    server.on("upgrade", on_switch).on("connect", on_switch)
    server.on("client_error", on_client_error).on("connection", on_socket)
    server.on("listening", on_signal).on("close", on_signal)
    server.on("request", on_response)  # type: ignore[call-overload]
    server.on("upgrade", on_request)  # type: ignore[call-overload]
    server.on("client_error", on_text)  # type: ignore[call-overload]
    server.on("listening", on_number)  # type: ignore[call-overload]
    server.once("reqest", on_request)  # type: ignore[call-overload]
    server.custom.on("reqest", on_request)
    http.create_server(on_response)  # type: ignore[arg-type]
    assert_type(https.create_server(on_request), https.Server)
    https.create_server().on("request", on_text)  # type: ignore[call-overload]


def requests(request: http.ClientRequest) -> None:
    assert_type(request.on("response", on_response), http.ClientRequest)
    request.on("socket", on_socket).once("upgrade", on_switch)
    request.on("continue", on_signal).on("timeout", on_signal)
    request.on("drain", on_signal).on("finish", on_signal).on("close", on_signal)
    request.on("response", on_number)  # type: ignore[call-overload]
    request.on("socket", on_text)  # type: ignore[call-overload]
    request.on("upgrade", on_response)  # type: ignore[call-overload]
    request.on("timeout", on_number)  # type: ignore[call-overload]
    request.on("data", on_bytes)  # type: ignore[call-overload]
    http.get("http://localhost/", on_number)  # type: ignore[arg-type]

    @request.on("information")
    def informed(information: http.Information) -> None: ...

    @request.on("response")  # type: ignore[type-var]
    def answered(number: int) -> None: ...


def messages(message: http.IncomingMessage, response: http.ServerResponse) -> None:
    assert_type(message.on("data", on_bytes), http.IncomingMessage)
    message.on("data", on_text)  # after set_encoding
    message.on("end", on_signal).on("aborted", on_signal)
    message.on("end", on_bytes)  # type: ignore[call-overload]
    message.on("finish", on_signal)  # type: ignore[call-overload]
    assert_type(response.on("finish", on_signal), http.ServerResponse)
    response.on("close", on_signal).once("drain", on_signal)
    response.on("finish", on_number)  # type: ignore[call-overload]
    response.on("data", on_bytes)  # type: ignore[call-overload]


def agents(agent: http.Agent) -> None:
    assert_type(agent.on("free", on_free), http.Agent)
    agent.on("free", on_number)  # type: ignore[call-overload]
    agent.on("fre", on_free)  # type: ignore[call-overload]
