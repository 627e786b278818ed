"""The events of sockets and servers, for type checkers."""

from headrace.events import EventEmitter
from headrace.streams import Duplex

SocketEvents = Duplex
ServerEvents = EventEmitter
