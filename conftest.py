"""What all tests share: both runtimes, a time limit, the hypothesis profiles."""

import functools
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, ParamSpec, TypeVar

import anyio
import pytest
from hypothesis import settings

P = ParamSpec("P")
T = TypeVar("T")

SECONDS_PER_TEST = 60.0

# The normal run is small and the same every time: a red test is red for everybody.
settings.register_profile(
    "normal", max_examples=40, derandomize=True, database=None, deadline=None
)
settings.register_profile("soak", max_examples=5_000, deadline=None)
settings.load_profile("normal")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--uvloop",
        action="store_true",
        help="run the asyncio half of the async tests on uvloop",
    )


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The runtimes each async test runs on."""
    if request.param == "asyncio":
        return "asyncio", {"use_uvloop": request.config.getoption("--uvloop")}
    return request.param, {}


@pytest.fixture(scope="session")
def with_atheris(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that can import atheris, which is no dependency.

    It is installed for the run; where that is not possible the test is skipped.
    """
    folder = str(tmp_path_factory.mktemp("atheris"))
    tries: list[str] = []
    for installer in (["uv", "pip"], ["pip"]):
        command = [sys.executable, "-m", *installer, "install", "--target", folder]
        done = subprocess.run(
            [*command, "atheris"], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            paths = [folder, os.environ.get("PYTHONPATH", "")]
            return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        tries.append(done.stderr.strip()[-200:])
    pytest.skip(f"atheris cannot be installed: {tries}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the long tests first: beside the others they cost no time of their own."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def seconds_for(item: pytest.Item) -> float:
    mark = item.get_closest_marker("time_limit")
    return float(mark.args[0]) if mark else SECONDS_PER_TEST


def within(
    seconds: float, test: Callable[P, Awaitable[T]]
) -> Callable[P, Awaitable[T]]:
    @functools.wraps(test)
    async def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        with anyio.fail_after(seconds):
            return await test(*args, **kwargs)

    return limited


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(
    pyfuncitem: pytest.Function,
) -> Generator[None, object, object]:
    """Cancel an async test that hangs; its traceback shows where it waited."""
    seconds = seconds_for(pyfuncitem)
    given = getattr(pyfuncitem.obj, "hypothesis", None)
    if given is not None and inspect.iscoroutinefunction(given.inner_test):
        given.inner_test = within(seconds, given.inner_test)
    elif inspect.iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = within(seconds, pyfuncitem.obj)
    return (yield)


@contextmanager
def alarm(item: pytest.Item) -> Generator[None]:
    """Fail what no cancellation reaches: plain code, and loops that never yield."""
    seconds = seconds_for(item) + 5

    def expire(signum: int, frame: FrameType | None) -> None:
        pytest.fail(f"ran longer than {seconds} s")

    if not hasattr(signal, "SIGALRM"):  # Windows: faulthandler_timeout must do
        yield
        return
    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with alarm(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with alarm(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    with alarm(item):
        return (yield)
