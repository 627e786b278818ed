"""A connection pool for any protocol."""

from headrace.agent._agent import Agent
from headrace.agent._errors import (
    AgentDestroyedError,
    AgentError,
    InvalidArgTypeError,
    InvalidArgValueError,
    InvalidReturnValueError,
    OutOfRangeError,
    RequestPendingError,
    SocketClosedError,
    UnknownOptionError,
)
from headrace.agent._lease import Lease
from headrace.agent._options import AgentOptions, ConnectOptions, FrozenOptions
from headrace.agent._protocols import ConnectionCallback, PooledRequest, SocketHolder
from headrace.agent._version import __version__

__all__ = [
    "Agent",
    "AgentDestroyedError",
    "AgentError",
    "AgentOptions",
    "ConnectOptions",
    "ConnectionCallback",
    "FrozenOptions",
    "InvalidArgTypeError",
    "InvalidArgValueError",
    "InvalidReturnValueError",
    "Lease",
    "OutOfRangeError",
    "PooledRequest",
    "RequestPendingError",
    "SocketClosedError",
    "SocketHolder",
    "UnknownOptionError",
    "__version__",
]
