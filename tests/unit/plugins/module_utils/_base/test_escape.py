# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value arrives as it was given, whatever is in it, or is refused: it never becomes a directive of its own."""

from __future__ import annotations

import ctypes
import glob
import os
import re
import subprocess
import tomllib
from collections.abc import Callable

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.escape import (
    EscapeError,
    environment_line,
    nginx_value,
    path,
    toml_value,
    unit_argument,
    unit_environment,
    unit_path,
    unit_text,
)
from hypothesis import given
from hypothesis import strategies as st

# As hostile as text gets, and often.
hostile = st.text(
    st.sampled_from("ab \t\n\r\0%$\"'\\`{};#=:/-~@!\x7f\x85\u2028é\ud800\uffff") | st.characters(), max_size=30
)

PATH_RULE = "must be an absolute path without blanks, quotes, '$', ':', '\\' and '..'"
SHARED = sorted(glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so"))
CUNESCAPE, UNQUOTE = 1 << 1, 1 << 5  # of the ExtractFlags of systemd since 246


@pytest.mark.parametrize(
    ("escape", "value", "escaped"),
    [
        (unit_argument, 'a "b" \\ %i $HOME', r'"a \"b\" \\ %%i $$HOME"'),
        (unit_argument, "two\nlines", r'"two\nlines"'),
        (unit_argument, "", '""'),
        (unit_argument, 9094, '"9094"'),
        (unit_path, "/srv/100%/data", "/srv/100%%/data"),
        (unit_text, " ward 100% ", "ward 100%%"),
        (nginx_value, 'a"; b', r'"a\"; b"'),
        (toml_value, "a\nb", r'"a\U0000000Ab"'),
        (toml_value, True, "true"),
    ],
)
def test_value_is_escaped(escape: Callable[[object], str], value: object, escaped: str) -> None:
    assert escape(value) == escaped


def test_assignments_are_escaped() -> None:
    assert unit_environment("A_1", '50% "\\\n') == r'"A_1=50%% \"\\\n"'
    assert environment_line("A_1", "it's $5 `now`") == 'A_1="it\'s \\$5 \\`now\\`"'


@pytest.mark.parametrize(
    ("escape", "value", "told"),
    [
        (unit_text, "a\nExecStart=+/x", "A text of a unit is 'a\\nExecStart=+/x' but must not have a newline."),
        (unit_text, "a\\", "A text of a unit is 'a\\\\' but must not end with a backslash, which joins lines."),
        (unit_argument, "a\0", "An argument is 'a\\x00' but must not have the character 0x00."),
        (nginx_value, "$host", "A value for nginx is '$host' but must not have '$', which begins a variable there."),
        (nginx_value, "a\rb", "A value for nginx is 'a\\rb' but must not have a carriage return."),
        (unit_path, "/a\nb", "A path is '/a\\nb' but must not have a newline."),
        *(
            (unit_path, wrong, f"A path is {wrong!r} but {PATH_RULE}.")
            for wrong in ("", "data", "/my data", "/a:b", "/a/../b", "/$HOME", "/'a", "-/a", "/a\u2028b")
        ),
    ],
)  # fmt: skip
def test_value_that_cannot_be_is_refused(escape: Callable[[object], str], value: object, told: str) -> None:
    with pytest.raises(EscapeError) as caught:
        escape(value)
    assert str(caught.value) == told


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A\nB", "A=B", "É"])
@pytest.mark.parametrize("escape", [unit_environment, environment_line])
def test_name_of_a_variable_that_cannot_be_is_refused(escape: Callable[[str, str], str], name: str) -> None:
    with pytest.raises(EscapeError, match="must be letters, digits and '_', the first no digit"):
        escape(name, "value")


@given(value=hostile)
def test_unit_gets_an_assignment_as_given(value: str) -> None:
    escaped = _or_refused(lambda: unit_environment("NAME", value), value)
    if escaped is not None:
        assert "\n" not in escaped
        assert [_specified(word) for word in _words(escaped)] == [f"NAME={value}"]


@given(values=st.lists(hostile, min_size=1, max_size=3))
def test_unit_gets_arguments_as_given(values: list[str]) -> None:
    escaped = _or_refused(lambda: " ".join(map(unit_argument, values)), "".join(values))
    if escaped is not None:
        assert "\n" not in escaped
        words = [_specified(word) for word in _words(escaped)]
        assert [re.sub(r"\$(.)", r"\1", word, flags=re.DOTALL) for word in words] == values
        assert not any(re.search(r"(?<!\$)(\$\$)*\$(?!\$)", word) for word in words)


@given(value=hostile.map("/".__add__))
def test_unit_gets_a_path_as_given(value: str) -> None:
    try:
        escaped = unit_path(value)
    except EscapeError:
        return
    assert path(value) == value
    assert [_specified(word) for word in _words(escaped)] == [value]
    assert escaped.split() == [escaped]


@given(value=hostile)
def test_unit_gets_a_text_as_given(value: str) -> None:
    try:
        escaped = unit_text(value)
    except EscapeError:
        return
    assert not re.search(r"[\0-\x1f\x7f]|\\$", escaped)
    assert _specified(escaped) == value.strip()


@given(value=hostile)
def test_nginx_gets_a_value_as_given(value: str) -> None:
    try:
        escaped = nginx_value(value)
    except EscapeError:
        return
    assert _nginx_words(f"server_name {escaped};") == ["server_name", value]


@given(value=hostile)
def test_shell_gets_a_variable_as_given(value: str) -> None:
    line = _or_refused(lambda: environment_line("NAME", value), value)
    if line is not None:
        assert _environment_file(f"{line}\n") == {"NAME": value}


@pytest.mark.parametrize(
    "value", ["it's", 'a"b', "`id`", "$(id)", "${HOME}", "\\", "a\\\nb", "two\nlines", "#", "é", "a=b", " x "]
)
def test_real_shell_gets_a_variable_as_given(value: str) -> None:
    script = f'{environment_line("NAME", value)}\nprintf "%s|" "$NAME"'
    assert subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout.decode() == f"{value}|"


@given(value=hostile | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False))
def test_toml_gets_a_value_as_given(value: object) -> None:
    try:
        escaped = toml_value(value)
    except EscapeError:
        return
    assert tomllib.loads(f"value = {escaped}") == {"value": value}


def _or_refused(escape: Callable[[], str], value: str) -> str | None:
    """Return what is escaped; None where it is refused, as only what systemd itself refuses may be."""
    try:
        return escape()
    except EscapeError:
        assert re.search(r"[\0-\x08\x0b-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef]", value) or any(
            ord(letter) & 0xFFFE == 0xFFFE for letter in value
        )
        return None


def _specified(text: str) -> str:
    """Expand systemd's specifiers, of which there must be none."""
    assert not re.search(r"%(?!%)", text.replace("%%", ""))
    return text.replace("%%", "%")


def _words(text: str) -> list[str]:
    """Split as systemd does: by its own function where this machine has it, else by what that does."""
    ours = _split(text)
    if SHARED:
        assert _split_by_systemd(text) == ours
    return ours


def _split_by_systemd(text: str) -> list[str]:
    extract = ctypes.CDLL(SHARED[-1]).extract_first_word
    rest, word, found = ctypes.c_char_p(text.encode()), ctypes.c_char_p(), []
    while True:
        done = extract(ctypes.byref(rest), ctypes.byref(word), None, CUNESCAPE | UNQUOTE)
        assert done >= 0, os.strerror(-done)
        if done == 0:
            return found
        found.append((word.value or b"").decode())


def _split(text: str) -> list[str]:
    words, word, quote, escaped = [], None, "", False
    for letter in text:
        if escaped:
            word, escaped = f"{word or ''}{ {'n': chr(10), 't': chr(9)}.get(letter, letter) }", False
        elif letter == "\\":
            escaped = True
        elif quote:
            word, quote = (word, "") if letter == quote else (f"{word or ''}{letter}", quote)
        elif letter in "\"'":
            quote, word = letter, word or ""
        elif letter in " \t\n\r":
            words, word = [*words, *([] if word is None else [word])], None
        else:
            word = f"{word or ''}{letter}"
    assert (quote, escaped) == ("", False)
    return [*words, *([] if word is None else [word])]


def _nginx_words(text: str) -> list[str]:
    """Read a directive as ngx_conf_read_token does."""
    words: list[str] = []
    rest = text
    while rest != ";":
        quoted = re.match(r'\s*"((?:[^"\\]|\\.)*)"', rest, re.DOTALL)
        bare = re.match(r"\s*([^\s;{}\"'\\$#]+)", rest)
        found = quoted or bare
        assert found, rest
        words.append(re.sub(r"\\([\"'\\])", r"\1", found[1]) if quoted else found[1])
        rest = rest[found.end() :]
    return words


def _environment_file(text: str) -> dict[str, str]:
    """Read lines as parse_env_file of systemd does."""
    found = re.fullmatch(r'([A-Z]+)="((?:[^"\\]|\\.)*)"\n', text, re.DOTALL)
    assert found
    return {found[1]: re.sub(r'\\(["\\`$])', r"\1", found[2])}
