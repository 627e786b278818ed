"""Fuzz the parsers under coverage guidance and compare what the engines say.

    python compare_engines.py [options of libFuzzer] CORPUS_FOLDER

Needs atheris. The first four bytes of an input choose the side, the request a response
answers, the settings and how the rest is split; the rest is what the peer sends.
"""

import importlib
import sys
from typing import Any, Literal

atheris: Any = importlib.import_module("atheris")  # has no types

with atheris.instrument_imports(include=["headrace", "h11"]):
    from headrace.http_parser import EngineName, RequestParser, ResponseParser
    from headrace.http_parser.testing import trace

    # Else the first parser would load it, outside of this block.
    importlib.import_module("headrace.http_parser._h11")

ENGINES: tuple[EngineName, ...] = ("llhttp", "h11")
METHODS = ("GET", "HEAD", "CONNECT", "POST")
UPGRADES: tuple[Literal["accept", "decline"] | None, ...] = (None, "accept", "decline")


def make_parser(engine: EngineName, choices: bytes) -> RequestParser | ResponseParser:
    insecure = choices[1] % 8 == 0
    if choices[0] % 2:
        return RequestParser(engine, max_head_size=512, insecure=insecure)
    parser = ResponseParser(engine, max_head_size=512, insecure=insecure)
    parser.expect(METHODS[choices[0] // 2 % 4])
    return parser


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def compare(data: bytes) -> None:
    """Raise if a split or an engine makes a difference."""
    if len(data) < 5:
        return
    choices, data = data[:4], data[4:]
    finished = choices[2] % 2 == 1
    upgrade = UPGRADES[choices[1] % 3]
    traces = {
        (engine, size): trace(
            make_parser(engine, choices),
            pieces(data, size),
            finished=finished,
            upgrade=upgrade,
        )
        for engine in ENGINES
        for size in (len(data), 1, choices[3] % 61 + 2)
    }
    expected = traces["llhttp", 1]
    for key, lines in traces.items():
        differs = any(line.startswith("refuse HPE_INTERNAL") for line in lines)
        if differs or lines != expected:
            raise AssertionError(f"{key}: {lines}, but byte by byte {expected}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, compare)
    atheris.Fuzz()
