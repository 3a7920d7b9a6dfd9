"""What all tests share: real data and a real Redis, or how to do without, and settings of a store of their own."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import hypothesis
import pytest
import redis
from file_order import group_of, in_turn
from needs import missing, trained_esm2_file
from unsaved import leave_unsaved

from virnucpro_tasks.broker import EmbeddedBroker, find_server
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.models.file_state import CACHE_VARIABLE
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system import interruption
from virnucpro_tasks.system.interruption import ENDING_SIGNALS
from virnucpro_tasks.system.start_module import COLLECTION_THRESHOLD

if TYPE_CHECKING:
    from earlier.deaths import Finished
    from earlier.folders import Computed, Folder

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    """An option for runs that look for tests that depend on others."""
    parser.addoption("--given-order", action="store_true", help="begin files in the order in which they are named")


def pytest_configure() -> None:
    """Modules and collected tests are no garbage: they are looked through as rarely as in a worker.

    An example that takes long on a machine with much to do is no fault.
    """
    gc.set_threshold(COLLECTION_THRESHOLD)
    hypothesis.settings.register_profile("tests", deadline=None)
    hypothesis.settings.load_profile("tests")
    leave_unsaved()


def pytest_collection_finish() -> None:
    """What is there before the first test is not looked through again."""
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Processes of a run have something to compute at any time, and end at the same time."""
    if not config.getoption("given_order"):
        items[:] = in_turn(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, all files whose tests load or start the same go to one process: it is done once."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LoadTogether(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(super()._split_scope(nodeid))

    return LoadTogether(config, log)


@pytest.fixture(scope="session", autouse=True)
def digests_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of digests of the tests' own, for the processes that they start too."""
    with mock.patch.dict(os.environ, {CACHE_VARIABLE: str(tmp_path_factory.mktemp("cache"))}):
        yield


@pytest.fixture(autouse=True)
def interruptions_end_with_their_test() -> Iterator[None]:
    """Handlers of signals as they were, and no interruption remembered.

    After one, signals are ignored, also by whatever is started later, and whoever waits in a loop ends.
    """
    before = {number: signal.getsignal(number) for number in (*ENDING_SIGNALS, signal.SIGINT)}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) != handler:
            signal.signal(number, handler)
    interruption._received.clear()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real inputs and reference outputs beside the checkout; never part of it."""
    if not SHARED.is_dir():
        missing("no shared/ folder with reference data beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def trained_esm2() -> Path:
    """A file of trained ESM-2 weights."""
    return trained_esm2_file()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a store of the test's own and the demonstration bundle."""
    return Settings(store=tmp_path / "store", bundle="demo")


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process starts of this project's begins at once, as a fork."""
    from service.forks import ForkedProcess

    monkeypatch.setattr(subprocess, "Popen", ForkedProcess)


@pytest.fixture(scope="session")
def server() -> Path:
    """The program of Redis or Valkey."""
    try:
        return find_server()
    except BrokerError as error:
        missing(str(error))


@pytest.fixture(scope="session")
def shared_broker(server: Path) -> Iterator[EmbeddedBroker]:
    """A private server, with whatever tests leave in it."""
    with EmbeddedBroker(server=server) as started:
        yield started


@pytest.fixture
def broker(shared_broker: EmbeddedBroker) -> EmbeddedBroker:
    """A private server with nothing in it."""
    redis.Redis(unix_socket_path=str(shared_broker.socket)).flushall()
    return shared_broker


@pytest.fixture(scope="session")
def earlier_run(tmp_path_factory: pytest.TempPathFactory) -> Computed:
    """One computed run, from which the folders of the earlier tools are made."""
    # Imported here: it loads torch.
    from earlier.folders import computed, random_records

    folder = tmp_path_factory.mktemp("computed")
    return computed(Settings(store=folder / "store", bundle="demo"), random_records(folder / "reads.fa"))


@pytest.fixture(scope="session")
def finished_runs(earlier_run: Computed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finished]:
    """The folders of finished runs, from which those of runs that died are made, by tool."""
    from earlier.deaths import TOOLS, Finished

    return {tool: Finished.of(tmp_path_factory.mktemp("finished") / "run", earlier_run, tool) for tool in TOOLS}


@pytest.fixture
def folder_of(earlier_run: Computed, tmp_path: Path) -> Callable[..., Folder]:
    """The finished folder of an earlier tool, by the name of the tool."""
    from earlier.folders import Folder

    def make(tool: str, **options: bool) -> Folder:
        folder = Folder(tmp_path / tool, earlier_run, tool, **options)
        folder.stage_files()
        return folder

    return make
