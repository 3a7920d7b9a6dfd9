"""Settings files: ours, those of earlier versions, both at once, and hostile ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from virnucpro_tasks.earlier_keys import EARLIER_KEYS, EarlierKey
from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.settings import Settings, load_settings, settings_file
from virnucpro_tasks.settings_file import MOST_FILE_BYTES
from virnucpro_tasks.settings_text import settings_text


def defaults_of_earlier_versions() -> dict:
    """The content of the file that `utils generate-config` of the package wrote."""
    content: dict = {}
    for key in EARLIER_KEYS:
        *sections, name = key.key.split(".")
        table = content
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = key.default
    return content


def written(folder: Path, text: str, *, name: str = "settings.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_the_defaults_of_earlier_versions_change_no_setting(tmp_path: Path) -> None:
    file = settings_file(written(tmp_path, yaml.safe_dump(defaults_of_earlier_versions())))
    assert load_settings(file=file, environment={}) == Settings()
    assert file.options == {"predict": {"devices": "auto", "keep_embeddings": False, "no_progress": False}}
    assert len(file.earlier) == len(EARLIER_KEYS) > 25
    (warning,) = file.warnings
    assert "and 27 other keys have no effect any more" in warning


def test_what_results_depended_on_is_named_if_it_was_chosen(tmp_path: Path) -> None:
    text = "prediction:\n  batch_size: 9\nfeatures:\n  esm:\n    model_name: mine\n    representation_layer: 36\n"
    file = settings_file(written(tmp_path, text))
    chosen, others = file.warnings
    assert chosen.startswith(f"{file.path}, line 5: features.esm.model_name is 'mine', which has no effect any more: ")
    assert "prediction.batch_size and 1 other key have no effect" in others


def test_a_classifier_that_was_chosen_is_that_of_predict_and_others_say_so(tmp_path: Path) -> None:
    text = "prediction:\n  models:\n    500: mine.pth\n    300: 300_model.pth\n"
    file = settings_file(written(tmp_path, text))
    assert (file.settings, file.options) == ({}, {"predict": {"classifier_500": "mine.pth"}})
    assert file.where("predict", "classifier_500") == f"{file.path}, line 3"
    (idle,) = file.warnings
    assert "prediction.models.300 has no effect any more" in idle
    (left,) = file.left_to_predict
    assert "line 3: prediction.models.500 is 'mine.pth', which 'virnucpro predict' alone takes: " in left
    converted = settings_file(written(tmp_path, settings_text(file), name="new.yaml"))
    assert (converted.options, converted.left_to_predict) == (file.options, [])


@pytest.mark.parametrize("key", [key for key in EARLIER_KEYS if key.reason], ids=lambda key: key.key)
def test_a_key_without_effect_is_read_and_said_to_have_none(key: EarlierKey, tmp_path: Path) -> None:
    *sections, name = key.key.split(".")
    content: object = {name: key.default}
    for section in reversed(sections):
        content = {section: content}
    file = settings_file(written(tmp_path, yaml.safe_dump(content)))
    assert (file.settings, file.options) == ({}, {})
    assert file.warnings == [f"{file.path}: {key.key} has no effect any more ('virnucpro config convert' says why)"]
    assert f"# {key.key}: " in settings_text(file)
    assert key.reason in settings_text(file)


@pytest.mark.parametrize(
    ("text", "settings", "options"),
    [
        ("logging: {default_level: debug}", {"log_level": "DEBUG"}, {}),
        ("device: {default: 'cuda:1'}", {}, {"predict": {"devices": "cuda:1"}}),
        ("device: {default: 0}", {}, {"predict": {"devices": 0}}),
        ("progress: {enabled: no}", {}, {"predict": {"no_progress": True}}),
        ("files: {auto_cleanup: no}", {}, {"predict": {"keep_embeddings": True}}),
        ("device: {default: cpu}\npredict: {strict: true}", {}, {"predict": {"strict": True, "devices": "cpu"}}),
        ("prediction:\ndevice: {default: ~}", {}, {}),
    ],
)
def test_a_key_with_a_meaning_sets_ours(text: str, settings: dict, options: dict, tmp_path: Path) -> None:
    file = settings_file(written(tmp_path, text))
    assert (file.settings, file.options) == (settings, options)


def test_what_is_converted_says_the_same_and_warns_no_more(tmp_path: Path) -> None:
    content = defaults_of_earlier_versions()
    content["device"]["default"] = "cpu"
    content["logging"]["default_level"] = "WARNING"
    content["files"]["keep_files"] = ["a\nlog_level: DEBUG", "b"]
    content["store"] = "a folder"
    content["submit"] = {"priority": 3, "input": ["x", "y"]}
    before = settings_file(written(tmp_path, yaml.safe_dump(content)))
    text = settings_text(before)
    after = settings_file(written(tmp_path, text, name="new.yaml"))
    assert (after.settings, after.options) == (before.settings, before.options)
    assert (after.earlier, after.warnings) == ((), [])
    assert "log_level: WARNING  # was logging.default_level" in text
    assert "  devices: cpu  # was device.default" in text
    for key in EARLIER_KEYS:
        assert f"# was {key.key}" in text or f"# {key.key}: " in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store: x\nstroe: y\n", r"settings\.yaml, line 2: there is no setting 'stroe' \(did you mean store\?\)"),
        (
            "prediction:\n  batch_sise: 5\n",
            r"line 2: there is no key 'prediction.batch_sise' \(did you mean prediction.batch_size\?\)",
        ),
        (
            "features:\n  esm:\n    toks_pr_batch: 5\n",
            r"line 3: there is no key 'features.esm.toks_pr_batch' \(did you mean features.esm.toks_per_batch\?\)",
        ),
        ("features:\n  esm: 5\n", r"line 2: 5 is not a table: features.esm"),
        ("prediction: [1]\n", r"line 1: \[1\] is not a table: prediction"),
        ("files:\n  auto_cleanup: often\n", r"line 2: 'often' is not true or false: files.auto_cleanup"),
        ("device:\n  default: [0, 1]\n", r"line 2: \[0, 1\] is not a text or a number: device.default"),
        ("device:\n  default:\n    x: 1\n", r"line 2: .* is not a text or a number: device.default"),
        ("logging:\n  default_level: loud\n", r"settings.yaml, line 2: log_level must be one of"),
        ("# x\ndialect: brod\n", r"settings.yaml, line 2: dialect must be one of"),
        ("shard_tokens: 0\n", r"settings.yaml, line 1: shard_tokens must be at least 1"),
        ("threads: 1\ncpu_threads: 2\n", r"settings.yaml, line 2: cpu_threads is 2, more than threads"),
        ("broker_url: amqp://x\n", r"settings.yaml, line 1: broker_url must be redis"),
        (
            "log_level: INFO\nlogging:\n  default_level: INFO\n",
            r"line 3: logging.default_level is log_level here, which the file sets too",
        ),
        (
            "predict:\n  devices: cpu\ndevice:\n  default: cpu\n",
            r"line 4: device.default is predict.devices here, which the file sets too",
        ),
        ("token_budget: on\n", r"line 1: True is not a whole number: token_budget"),
        ("dialect: off\n", r"line 1: False is not a text: dialect"),
        ("store: a\nstore: b\n", r"cannot be read: line 2: 'store' is there already, in line 1"),
        ("a: &a [x]\nb: !!python/object:os.system x\n", r"cannot be read: line 2: the tag"),
        ("store: a\0b\n", r"cannot be read: line 1: the character U\+0000"),
        ("- store\n", r"is not a table of names and values"),
        ("5\n", r"is not a table of names and values"),
        ("a: 1\n" * (MOST_FILE_BYTES // 5 + 1), r"is larger than 64 KiB"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_key(text: str, message: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(file=file, environment={})
    assert "settings.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("level", "ours"), [("WARN", "WARNING"), ("critical", "ERROR"), ("FATAL", "ERROR"), ("notset", "DEBUG")]
)
def test_every_level_that_python_knows_is_one_of_ours(level: str, ours: str, tmp_path: Path) -> None:
    file = written(tmp_path, f"logging:\n  default_level: {level}\n")
    assert load_settings(file=file, environment={}).log_level == ours


@pytest.mark.parametrize(
    "text", ["\ufeffdialect: broad\n", "dialect: broad\r\n", "%YAML 1.1\n---\ndialect: broad\n...\n"]
)
def test_files_of_other_systems_are_read(text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yml"
    file.write_bytes(text.encode())
    assert load_settings(file=file, environment={}).dialect == "broad"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_named(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_bytes("store: Ärger\n".encode(encoding))
    with pytest.raises(SettingsError, match="is not text in UTF-8"):
        load_settings(file=file, environment={})


def test_toml_has_the_same_tables(tmp_path: Path) -> None:
    text = 'dialect = "broad"\n[predict]\nstrict = true\n[device]\ndefault = "cpu"\n'
    file = settings_file(written(tmp_path, text, name="settings.TOML"))
    assert file.options == {"predict": {"strict": True, "devices": "cpu"}}
    assert load_settings(file=file, environment={}).dialect == "broad"
