"""Permission bits as chmod takes them."""

import re

import pytest

from sealane_engine.store.modes import given, parse_mode


@pytest.mark.parametrize(
    ("text", "bits", "is_dir", "expected"),
    [
        ("755", 0o600, False, 0o755),
        ("4711", 0, False, 0o4711),
        ("+x", 0o644, False, 0o755),
        ("a-w", 0o666, False, 0o444),
        ("u=rwX,go=rX", 0o600, False, 0o644),
        ("u=rwX,go=rX", 0o700, False, 0o755),
        ("u=rwX,go=rX", 0o600, True, 0o755),
        ("g=u", 0o640, False, 0o660),
        ("g=u-w", 0o640, False, 0o640),
        ("u+s,g+s,+t", 0o755, False, 0o7755),
        ("u=rw", 0o4755, False, 0o655),
        ("go=", 0o777, False, 0o700),
    ],
)
def test_a_mode_is_what_chmod_makes_of_it(text, bits, is_dir, expected):
    assert given(parse_mode(text), bits, is_dir=is_dir) == expected


@pytest.mark.parametrize("text", ["999", "77777", "rwx", "u~x", "u=rw,", "z+x"])
def test_what_is_no_mode_is_refused(text):
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_mode(text)
