from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from virnucpro_tasks.broker_url import masked_url
from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.settings import Settings, load_settings, service_variables


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
    with pytest.raises(SettingsError, match=r"settings\.yaml, line 1: bundle has no value"):
        load_settings(file=file, environment={})


def test_a_child_process_gets_the_same_settings(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path, bundle="demo", lease_seconds=12.5, precision="fp16")
    assert load_settings(environment=settings.environment()) == settings


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ({"attention": "magic"}, "--attention: attention must be one of"),
        ({"token_budget": "many"}, "--token-budget: 'many' is not a whole number: token_budget"),
        ({"token_budget": 0}, "token_budget must be at least 1"),
        ({"lease_seconds": -1}, "lease_seconds must be more than 0"),
        ({"no_such": 1}, "there is no setting 'no_such'"),
        ({"broker_url": "amqp://user:secret@host"}, "broker_url must be redis"),
        ({"precision": "fp4"}, "precision must be one of"),
        ({"token_budget": 1.5}, "--token-budget: 1.5 is not a whole number: token_budget"),
        ({"token_budget": True}, "--token-budget: True is not a whole number: token_budget"),
        ({"lease_seconds": "soon"}, "--lease-seconds: 'soon' is not a number: lease_seconds"),
        ({"store": 5}, "--store: 5 is not a path: store"),
        ({"store": ["a"]}, "--store: .* is not a path: store"),
        ({"owner": ["me"]}, "--owner: .* is not a text: owner"),
        ({"owner": "a" * 65}, "owner must have at most 64 characters, not 65"),
        ({"broker_url": "rediss://:secret@host:6379/0"}, "append .ssl_cert_reqs=required"),
        ({"token_budget": 10**30}, "token_budget must be at most 1,000,000,000, not 1e.30"),
        ({"shard_tokens": "1" + "0" * 40}, "shard_tokens must be at most"),
        ({"cpu_threads": 10_000}, "cpu_threads must be at most 4,096"),
        ({"finishing_processes": 10**6}, "finishing_processes must be at most 4,096"),
        ({"shard_time_limit_seconds": "inf"}, "shard_time_limit_seconds must be at most 1,000,000,000, not inf"),
        ({"shard_time_limit_seconds": 1e12}, "shard_time_limit_seconds must be at most"),
        ({"soft_shutdown_seconds": "1e999"}, "is not a number: soft_shutdown_seconds"),
        ({"lease_seconds": "nan"}, "lease_seconds must be more than 0, not nan"),
        ({"watch_seconds": float("nan")}, "watch_seconds must be at least 0, not nan"),
        ({"watch_seconds": -1}, "watch_seconds must be at least 0, not -1"),
        ({"store": "a\0b"}, "is not a path: store"),
        ({"store": "~nobody-of-this-name/x"}, "is not a path: store"),
        ({"bundle": ""}, "'' is not a text: bundle"),
    ],
)
def test_bad_values_are_named(flags: dict[str, object], part: str) -> None:
    with pytest.raises(SettingsError, match=part) as caught:
        load_settings(environment={}, flags=flags)
    assert "secret" not in str(caught.value)


def test_a_certificate_that_is_checked_and_the_traceback_variable_are_accepted() -> None:
    url = "rediss://:secret@host:6379/0?ssl_cert_reqs=required"
    assert load_settings(environment={"VIRNUCPRO_TRACEBACK": "1"}, flags={"broker_url": url}).broker_url == url


def test_the_variable_with_a_bad_value_is_named() -> None:
    with pytest.raises(SettingsError, match="environment variable VIRNUCPRO_DIALECT: dialect must be one of"):
        load_settings(environment={"VIRNUCPRO_DIALECT": "brod"})


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


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("redis://[", "is not a URL"),
        ("redis://:secret@[::1", "is not a URL"),
        ("redis://:secret@ho st:6379/0", "is not a URL"),
        ("redis://", "names no host"),
        ("redis://:secret@/0", "names no host"),
        ("redis://:6379/0", "names no host"),
        ("redis://:secret@host:65536/0", "a port that is no number from 1 to 65535"),
        ("redis://:secret@host:0", "a port that is no number from 1 to 65535"),
        ("redis://:secret@host:port/0", "a port that is no number from 1 to 65535"),
        ("redis://:secret@host/jobs", "names the database 'jobs', no number"),
        ("redis+socket://", "names no socket"),
        ("redis+socket:///run/redis.sock?virtual_host=x", "names the database 'x', no number"),
        ("host:6379", "must be redis://"),
        ("/run/redis.sock", "must be redis://"),
    ],
)
def test_an_address_that_is_none_of_redis_is_told_without_its_password(url: str, part: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment={"VIRNUCPRO_BROKER_URL": url})
    assert part in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "redis://[::1]:6379/0",
        "redis://u:p%40@host:6379/15?x=1",
        "redis+socket:///run/r.sock",
        " redis://h\n",
    ],
)
def test_an_address_of_redis_is_accepted(url: str) -> None:
    assert load_settings(environment={"VIRNUCPRO_BROKER_URL": url}).broker_url == url.strip()


def test_an_empty_variable_counts_as_not_set() -> None:
    environment = {f"VIRNUCPRO_{field.name.upper()}": "" for field in fields(Settings)}
    assert load_settings(environment=environment | {"VIRNUCPRO_STORE": "  ", "VIRNUCPRO_CONFIG": ""}) == Settings()


def test_a_mistyped_variable_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match=r"VIRNUCPRO_BROKER_ULR: .*did you mean VIRNUCPRO_BROKER_URL\?"):
        load_settings(environment={"VIRNUCPRO_BROKER_ULR": "redis://host"})
    # That of an earlier version
    with pytest.raises(SettingsError, match=r"did you mean VIRNUCPRO_DISABLE_FP16\?"):
        load_settings(environment={"VIRNUCPRO_DISABLEFP16": "1"})
    with pytest.raises(SettingsError, match=r"there is no setting 'token_buget' \(did you mean token_budget\?\)"):
        load_settings(environment={}, flags={"token_buget": 1})


SERVICES = {
    "VIRNUCPRO_PORT": "tcp://10.0.0.1:80",
    "VIRNUCPRO_SERVICE_HOST": "10.0.0.1",
    "VIRNUCPRO_SERVICE_PORT": "80",
    "VIRNUCPRO_SERVICE_PORT_HTTP": "80",
    "VIRNUCPRO_PORT_80_TCP": "tcp://10.0.0.1:80",
    "VIRNUCPRO_PORT_80_TCP_PROTO": "tcp",
    "VIRNUCPRO_PORT_80_TCP_PORT": "80",
    "VIRNUCPRO_PORT_80_TCP_ADDR": "10.0.0.1",
    "VIRNUCPRO_REDIS_PORT": "tcp://10.0.0.2:6379",
    "VIRNUCPRO_REDIS_SERVICE_PORT_REDIS": "6379",
    "VIRNUCPRO_STORE_SERVICE_HOST": "10.0.0.3",
    "VIRNUCPRO_STORE_PORT": "udp://10.0.0.3:53",
    "VIRNUCPRO_REDIS_NAME": "/worker/virnucpro-redis",
}


def test_variables_of_services_are_no_settings() -> None:
    environment = SERVICES | {"VIRNUCPRO_STORE": "here"}
    assert load_settings(environment=environment) == Settings(store=Path("here"))
    assert service_variables(environment) == list(SERVICES)
    with pytest.raises(SettingsError, match="VIRNUCPRO_PORT: there is no setting"):
        load_settings(environment={"VIRNUCPRO_PORT": "6379"})


def test_the_home_folder_is_put_for_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "settings.yaml").write_text("store: ~/jobs\nbundle: ~/bundle\n")
    settings = load_settings(environment={"VIRNUCPRO_CONFIG": "~/settings.yaml"})
    assert (settings.store, settings.bundle) == (tmp_path / "jobs", str(tmp_path / "bundle"))


def test_a_folder_and_an_endless_file_are_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings(file=tmp_path, environment={})
    with pytest.raises(SettingsError, match="larger than 64 KiB"):
        load_settings(file=Path("/dev/zero"), environment={})
