from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.settings import Settings, load_settings, masked_url


def test_flags_beat_environment_beats_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('store = "from-file"\ntoken_budget = 1000\nlease_seconds = 10\n')
    settings = load_settings(
        file=file,
        environment={"VIRNUCPRO_TOKEN_BUDGET": "2000", "VIRNUCPRO_LEASE_SECONDS": "20"},
        flags={"lease_seconds": 30, "store": None},
    )
    assert (settings.store, settings.token_budget, settings.lease_seconds) == (Path("from-file"), 2000, 30.0)


def test_yaml_file_named_by_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("dialect: broad\n")
    assert load_settings(environment={"VIRNUCPRO_CONFIG": str(file)}).dialect == "broad"


def test_values_are_converted_to_the_type_of_their_setting(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("owner: 1234\nlease_seconds: 5\ntoken_budget: 1000.0\nstore: here\n")
    settings = load_settings(file=file, environment={"VIRNUCPRO_CPU_THREADS": " 2 "}, flags={"store": Path("there")})
    values = (settings.owner, settings.lease_seconds, settings.token_budget, settings.store, settings.cpu_threads)
    assert values == ("1234", 5.0, 1000, Path("there"), 2)
    assert [type(value) for value in values[:3]] == [str, float, int]


def test_a_value_of_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("bundle:\n")
    with pytest.raises(SettingsError, match=r"settings\.yaml: None is not a valid str for bundle"):
        load_settings(file=file, environment={})


def test_a_child_process_gets_the_same_settings(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path, bundle="demo", lease_seconds=12.5, precision="fp16")
    assert load_settings(environment=settings.environment()) == settings


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ({"attention": "magic"}, "attention must be one of"),
        ({"token_budget": "many"}, "not a valid int for token_budget"),
        ({"token_budget": 0}, "token_budget must be at least 1"),
        ({"lease_seconds": -1}, "lease_seconds must be more than 0"),
        ({"no_such": 1}, "there is no setting 'no_such'"),
        ({"broker_url": "amqp://user:secret@host"}, "broker_url must be redis"),
        ({"precision": "fp4"}, "precision must be one of"),
        ({"token_budget": 1.5}, "--token-budget: 1.5 is not a valid int for token_budget"),
        ({"token_budget": True}, "--token-budget: token_budget cannot be True"),
        ({"lease_seconds": "soon"}, "--lease-seconds: 'soon' is not a valid float for lease_seconds"),
        ({"store": 5}, "--store: 5 is not a valid Path for store"),
        ({"store": ["a"]}, "--store: .* is not a valid Path for store"),
        ({"owner": ["me"]}, "--owner: .* is not a valid str for owner"),
        ({"broker_url": "rediss://:secret@host:6379/0"}, "append .ssl_cert_reqs=required"),
    ],
)
def test_bad_values_are_named(flags: dict[str, object], part: str) -> None:
    with pytest.raises(SettingsError, match=part) as caught:
        load_settings(environment={}, flags=flags)
    assert "secret" not in str(caught.value)


def test_a_certificate_that_is_checked_and_the_traceback_variable_are_accepted() -> None:
    url = "rediss://:secret@host:6379/0?ssl_cert_reqs=required"
    assert load_settings(environment={"VIRNUCPRO_TRACEBACK": "1"}, flags={"broker_url": url}).broker_url == url


def test_unknown_names_in_the_environment_are_refused() -> None:
    with pytest.raises(SettingsError, match="VIRNUCPRO_TOKENBUDGET"):
        load_settings(environment={"VIRNUCPRO_TOKENBUDGET": "1"})


@pytest.mark.parametrize("text", ["store: [", "- 1\n- 2\n"])
def test_broken_files_are_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"settings\.yaml"):
        load_settings(file=file, environment={})


def test_passwords_are_masked() -> None:
    assert masked_url("redis://:secret@host:6379/0") == "redis://:***@host:6379/0"
    assert "secret" not in str(Settings(broker_url="redis://user:secret@host").masked())
