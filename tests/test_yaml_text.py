from __future__ import annotations

import math

import pytest

from virnucpro_tasks.yaml_text import MOST_ENTRIES, YamlError, parse_yaml, yaml_lines, yaml_value


def test_values_and_their_lines() -> None:
    text = (
        "# a comment\nstore: here\npredict:\n  strict: yes\n  min_score: 0.5\n  input: [a, 'b']\n'300': 1_000\n300.5:\n"
    )
    content, lines = parse_yaml(text)
    assert content == {
        "store": "here",
        "predict": {"strict": True, "min_score": 0.5, "input": ["a", "b"]},
        "300": 1000,
        "300.5": None,
    }
    assert lines == {
        ("store",): 2,
        ("predict",): 3,
        ("predict", "strict"): 4,
        ("predict", "min_score"): 5,
        ("predict", "input"): 6,
        ("300",): 7,
        ("300.5",): 8,
    }


def test_an_empty_text_holds_nothing() -> None:
    assert parse_yaml("# nothing\n") == (None, {})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1:30.5", "1:30.5"),
        ("2026-01-01", "2026-01-01"),
        ("-5", -5),
        ("1.5e+3", 1500.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("off", False),
        ("'off'", "off"),
        ("!!str 5", "5"),
        ("~", None),
        ("=", "="),
    ],
)
def test_numbers_are_read_as_people_write_them(written: str, value: object) -> None:
    found = parse_yaml(f"a: {written}")[0]["a"]
    assert (found, type(found)) == (value, type(value))


def test_aliases_stand_for_what_they_name() -> None:
    assert parse_yaml("a: &x [1, 2]\nb: *x\n")[0] == {"a": [1, 2], "b": [1, 2]}


def test_a_table_takes_over_others_and_its_own_entries_count_more() -> None:
    content, lines = parse_yaml(
        "a: &a {x: 1, y: {z: 1}}\nb: &b\n  x: 2\n  w: 2\nc:\n  x: 3\n  <<: *a\nd:\n  <<: [*b, *a]\n  v: 4\n"
    )
    assert content["c"] == {"x": 3, "y": {"z": 1}}
    assert content["d"] == {"x": 2, "w": 2, "y": {"z": 1}, "v": 4}
    assert (lines["c", "x"], lines["c", "y"], lines["d", "w"], lines["d", "v"]) == (6, 1, 4, 10)
    # Between quotes it is a name as any other
    assert parse_yaml("'<<': 1\n")[0] == {"<<": 1}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r"line 3: 'a' is there already, in line 1"),
        ("a:\n  b: 1\n  b: 2\n", r"line 3: 'b' is there already, in line 2"),
        (BOMB, rf"line \d: it has more than {MOST_ENTRIES:,} entries"),
        ("a: &a\n  b: *a\n", r"line 1: it holds itself"),
        ("a: &a [*a]\n", r"line 1: it holds itself"),
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", r"line 2: the tag 'tag:yaml.org,2002:python/object"),
        ("a: !!python/name:os.system\n", r"line 1: the tag .* is not read"),
        ("a: !secret x\n", r"line 1: the tag '!secret' is not read"),
        ("a: !!binary aGk=\n", r"line 1: the tag .* is not read"),
        ("a: !!set {x, y}\n", r"line 1: the tag .* is not read"),
        ("a: !!int many\n", r"line 1: 'many' is no int|the tag"),
        ("a: !!float many\n", r"line 1: 'many' is no float"),
        ("a: !!bool maybe\n", r"line 1: 'maybe' is no bool"),
        (f"a: {'9' * 5000}\n", r"line 1: '9+…' is no int"),
        ("a: 1\nb:\n  <<: 5\n", r"line 3: << takes over tables"),
        ("a: &a {b: 1}\nc: {<<: [*a, x]}\n", r"line 2: << takes over tables"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n  <<: *a\n", r"line 1: << is there already"),
        ("a: &a\n  <<: *a\n", r"line 1: it holds itself"),
        ("a: &a {<<: !!python/object:os.x {}}\n", r"line 1: the tag .* is not read"),
        ("? [a, b]\n: 1\n", r"line 1: a key is a text"),
        ("a: 1\n\0b: 2\n", r"line 2: the character U\+0000 is not allowed"),
        ("a: 1\nb: \x1b[2J\n", r"line 2: the character U\+001B is not allowed"),
        ("a: 1\nb: [1, 2\n", r"line \d: .*expected"),
        ("a: 1\n\tb: 2\n", r"line 2: "),
        ("a: 1\n---\nb: 2\n", r"line 2: .*document"),
        ("a: *nobody\n", r"line 1: .*undefined alias"),
        ("[" * 1_200, r"line 1: it is nested too deeply"),
        ("a: " + "{b: " * 1_200, r"line 1: it is nested too deeply"),
    ],
)
def test_what_is_not_read_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=rf"^{message}") as caught:
        parse_yaml(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "",
        "a: b",
        "# no",
        "two\nlines",
        "\x85",
        "tab\t",
        "off",
        "1:30",
        "007",
        5,
        0.5,
        True,
        ["a", "b\nc"],
        "é",
        "'\"",
    ],
)
def test_what_is_written_is_one_line_and_read_again(value: object) -> None:
    (line,) = yaml_lines({"key": value})
    assert len(line.splitlines()) == 1
    assert parse_yaml(line)[0] == {"key": value}
    assert yaml_value(value) in line


def test_tables_are_indented() -> None:
    table = {"a": 1, "b": {"c": "x", "d": {"e": [1, 2]}}}
    text = "\n".join(yaml_lines(table))
    assert text == "a: 1\nb:\n  c: x\n  d:\n    e: [1, 2]"
    assert parse_yaml(text)[0] == table
