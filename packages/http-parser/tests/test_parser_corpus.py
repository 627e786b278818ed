"""The corpus: bytes and what has to come of them, on both engines and for any split.

A file of `corpus/` is Markdown. Each block ``request`` or ``response`` is an input;
after it, or after several of the same outcome, comes a block ``events``.

An input line ends in CRLF unless it ends in a backslash. In it ``\\r``, ``\\n``,
``\\t``, ``\\0``, ``\\\\`` and ``\\xHH`` are single bytes, and ``{text*N}`` is `text`
N times. The words after ``request`` or ``response`` are settings: see `Case`. Lines of
``events`` are those of `headrace.http_parser.testing.trace`; ``field`` lines, and the
positions of errors, may be left out.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from headrace.http_parser import EngineName, Limits, RequestParser, ResponseParser
from headrace.http_parser.testing import trace

CORPUS = Path(__file__).parent / "corpus"
ENGINES: tuple[EngineName, ...] = ("llhttp", "h11")
RANDOM_SPLITS = 8

BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ESCAPE = re.compile(r"\\(r|n|t|0|\\|x[0-9a-f]{2})")
REPEAT = re.compile(r"\{([^{}]+)\*(\d+)\}")
PLAIN = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}

LIMITS = {
    "max-head": "max_head_size",
    "max-fields": "max_headers_count",
    "max-blank": "max_leading_crlf_bytes",
    "max-extensions": "max_chunk_extensions_bytes",
}


@dataclass
class Case:
    """One input and its outcome.

    Attributes:
        to: The method of the request that a response answers (``to=HEAD``).
        finished: The peer closes after the input (``eof``).
        upgrade: What the caller does about an upgrade (``accept`` or ``decline``).
        insecure: The lenient mode is on (``insecure``).
        limits: ``max-head=100`` and the like.
    """

    name: str
    side: str
    data: bytes
    to: str = "GET"
    finished: bool = False
    upgrade: Literal["accept", "decline"] | None = None
    insecure: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def parser(self, engine: EngineName) -> RequestParser | ResponseParser:
        limits = Limits(**self.limits)
        if self.side == "request":
            return RequestParser(engine, limits=limits, insecure=self.insecure)
        parser = ResponseParser(engine, limits=limits, insecure=self.insecure)
        parser.expect(self.to)
        return parser

    def run(self, engine: EngineName, pieces: list[bytes]) -> list[str]:
        """Return the trace, without what the corpus leaves out."""
        lines = trace(
            self.parser(engine), pieces, finished=self.finished, upgrade=self.upgrade
        )
        if not any(line.startswith("field ") for line in self.events):
            lines = [line for line in lines if not line.startswith("field ")]
        if lines and not any(" at " in line for line in self.events):
            lines[-1] = lines[-1].partition(" at ")[0]
        return lines


def unescape(text: str) -> bytes:
    text = REPEAT.sub(lambda match: match[1] * int(match[2]), text)
    text = ESCAPE.sub(
        lambda match: PLAIN.get(match[1]) or chr(int(match[1][1:], 16)), text
    )
    return text.encode("latin-1")


def read_input(text: str) -> bytes:
    data = b""
    for line in text.splitlines():
        if line.endswith("\\") and not line.endswith("\\\\"):
            data += unescape(line[:-1])
        else:
            data += unescape(line) + b"\r\n"
    return data


def make_case(name: str, side: str, settings: str, text: str) -> Case:
    case = Case(name, side, read_input(text))
    for word in settings.split():
        key, _, value = word.partition("=")
        if key in LIMITS:
            case.limits[LIMITS[key]] = int(value)
        elif key == "to":
            case.to = value
        elif key == "eof":
            case.finished = True
        elif key == "insecure":
            case.insecure = True
        elif key == "accept":
            case.upgrade = "accept"
        elif key == "decline":
            case.upgrade = "decline"
        else:
            pytest.fail(f"{name}: unknown setting {word!r}")
    return case


def read_corpus(path: Path) -> Iterator[Case]:
    """Yield the cases of one file."""
    for section in re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        waiting: list[Case] = []
        number = 0
        for kind, settings, text in BLOCK.findall(section):
            if kind != "events":
                number += 1
                name = f"{path.stem}: {title} {number}"
                waiting.append(make_case(name, kind, settings, text))
                continue
            lines = [
                REPEAT.sub(lambda m: m[1] * int(m[2]), each)
                for each in text.splitlines()
            ]
            for case in waiting:
                case.events = lines
            yield from waiting
            waiting = []
        assert not waiting, f"{title}: an input without events"


CASES = [case for path in sorted(CORPUS.glob("*.md")) for case in read_corpus(path)]


def random_splits(case: Case) -> Iterator[list[bytes]]:
    """Yield the input in pieces of random sizes, the same ones in every run."""
    chance = random.Random(case.name)
    for _ in range(RANDOM_SPLITS):
        cuts = sorted(chance.choices(range(len(case.data) + 1), k=chance.randint(1, 6)))
        ends = zip([0, *cuts], [*cuts, len(case.data)], strict=True)
        yield [case.data[start:end] for start, end in ends]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_corpus(case: Case, engine: EngineName) -> None:
    """The outcome is the one written down, whole, byte by byte and at random splits."""
    assert case.run(engine, [case.data]) == case.events
    single = [case.data[i : i + 1] for i in range(len(case.data))]
    assert case.run(engine, single) == case.events
    for pieces in random_splits(case):
        assert case.run(engine, pieces) == case.events, pieces


def test_corpus_is_there() -> None:
    """No file of the corpus is read as empty, and titles are not repeated."""
    assert len(CASES) >= 300
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.name.partition(":")[0] for case in CASES} == {
        path.stem for path in CORPUS.glob("*.md")
    }
