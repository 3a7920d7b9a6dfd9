from __future__ import annotations

import pytest

from virnucpro_tasks.errors import BackendError, ExitCode
from virnucpro_tasks.system import extras
from virnucpro_tasks.system.extras import EXTRAS, require_extra


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(BackendError, match=rf"no {' and '.join(EXTRAS[name])} .*\.\[{name}\]") as raised:
        require_extra(name)
    assert raised.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("name", EXTRAS)
def test_an_installed_extra_passes(name: str) -> None:
    require_extra(name)
