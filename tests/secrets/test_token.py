from __future__ import annotations

import copy
import json
import logging
import pickle
import re
import subprocess
import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.errors import DataError
from notifycli.secrets import token_format as token
from notifycli.secrets.token_format import Secret

CANARY = "nct_CanaryCanaryCanaryCanaryCanary123456"
WELL_FORMED = "nct_0000000000000000000000000000003EXBZI"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class TestForm:
    def test_a_token_is_of_one_length_and_matches_the_published_expression(self) -> None:
        tokens = [token.generate().reveal() for _ in range(200)]
        assert {len(text) for text in tokens} == {token.LENGTH} == {40}
        assert all(re.findall(token.PATTERN, f'key="{text}"\n') == [text] for text in tokens)
        assert all(token.well_formed(text) for text in tokens)

    def test_no_two_tokens_are_alike(self) -> None:
        assert len({token.generate() for _ in range(1000)}) == 1000

    def test_its_random_part_holds_160_bits_and_uses_the_whole_alphabet(self) -> None:
        assert 62**token.RANDOM_LENGTH >= 2**160
        drawn = "".join(token.generate().reveal()[4:34] for _ in range(200))
        assert set(drawn) == set(BASE62)

    @given(st.integers(4, 39), st.sampled_from(BASE62))
    def test_no_single_wrong_character_passes(self, place: int, wrong: str) -> None:
        text = token.generate().reveal()
        typed = text[:place] + wrong + text[place + 1 :]
        assert token.well_formed(typed) == (typed == text)

    @given(st.integers(4, 38))
    def test_no_swap_of_neighbours_passes(self, place: int) -> None:
        text = token.generate().reveal()
        typed = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        assert token.well_formed(typed) == (typed == text)

    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda _: "", id="nothing"),
            pytest.param(lambda text: text[:-1], id="one character too few"),
            pytest.param(lambda text: text + "0", id="one character too many"),
            pytest.param(lambda text: text + "\n", id="a newline at the end"),
            pytest.param(lambda text: " " + text, id="a space in front"),
            pytest.param(lambda text: text.upper(), id="all capitals"),
            pytest.param(lambda text: "ghp_" + text[4:], id="someone else's prefix"),
            pytest.param(lambda text: text[:-1] + "٣", id="a digit of another script"),
            pytest.param(lambda _: "xkY8zP4mQ2nR7vT5wB3cD9fG", id="a token of Chatwoot's"),
        ],
    )
    def test_what_is_no_token_is_refused(self, make: object) -> None:
        assert callable(make)
        assert not token.well_formed(make(token.generate().reveal()))

    def test_the_checksum_is_that_of_every_earlier_version(self) -> None:
        assert token.well_formed(WELL_FORMED)


class TestDigestAndMask:
    def test_the_digest_is_sha256_in_hexadecimal(self) -> None:
        known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert token.digest("abc") == known

    def test_even_text_that_utf8_cant_carry_has_a_digest(self) -> None:
        assert len(token.digest("\udcff")) == 64

    @pytest.mark.parametrize(
        ("text", "mask"),
        [
            pytest.param(CANARY, "nct_…3456", id="ours shows prefix and end"),
            pytest.param("xkY8zP4mQ2nR7vT5wB3cD9fG", "…D9fG", id="Chatwoot's shows its end"),
            pytest.param("nct_short1234", "…34", id="a prefix alone makes no token of ours"),
            pytest.param("0123456789ab", "…ab", id="a short one shows less"),
            pytest.param("12345", "…", id="a very short one shows nothing"),
            pytest.param("", "…", id="nothing has a mask too"),
            pytest.param("x" * 30 + "\x1b[2J", "…?[2J", id="it can't steer the terminal"),
        ],
    )
    def test_the_mask(self, text: str, mask: str) -> None:
        assert token.mask(text) == mask

    @given(st.text())
    def test_a_mask_shows_at_most_four_characters_and_a_sixth(self, text: str) -> None:
        shown = token.mask(text).removeprefix("nct_").removeprefix("…")
        assert len(shown) <= min(4, len(text) // 6)


class TestSecret:
    @pytest.mark.parametrize(
        "show",
        [
            pytest.param(repr, id="repr"),
            pytest.param(str, id="str"),
            pytest.param(ascii, id="ascii"),
            pytest.param(lambda secret: f"{secret} {secret!r} {secret:>60}", id="an f-string"),
            pytest.param(lambda secret: "%s %r" % (secret, secret), id="percent"),  # noqa: UP031
            pytest.param(lambda secret: repr({"a": [secret]}), id="in containers"),
            pytest.param(dir, id="its attributes' names"),
        ],
    )
    def test_it_never_shows_by_itself(self, show: object) -> None:
        assert callable(show)
        assert "Canary" not in str(show(Secret(CANARY)))

    def test_only_reveal_shows_it(self) -> None:
        assert Secret(CANARY).reveal() == CANARY

    def test_a_log_line_doesnt_show_it(self, caplog: pytest.LogCaptureFixture) -> None:
        logging.getLogger("x").error("token %s %r", Secret(CANARY), Secret(CANARY))
        assert "hidden" in caplog.text
        assert "Canary" not in caplog.text

    def test_a_traceback_with_locals_doesnt_show_it(self) -> None:
        secret = Secret(CANARY)
        try:
            raise ValueError(secret)  # noqa: TRY301 - the frame with the local is what matters
        except ValueError as error:
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert "secret = Secret(hidden)" in "".join(shown.format())
        assert "Canary" not in "".join(shown.format())

    @pytest.mark.parametrize("write", [pickle.dumps, json.dumps, copy.deepcopy])
    def test_it_cant_be_written_or_copied_unawares(self, write: object) -> None:
        assert callable(write)
        with pytest.raises(TypeError) as raised:
            write(Secret(CANARY))
        assert "Canary" not in str(raised.value)

    def test_secrets_are_equal_by_what_they_hold(self) -> None:
        assert Secret("é") == Secret("é") != Secret("e")
        assert len({Secret("a"), Secret("a")}) == 1
        assert Secret("a") != "a"

    @pytest.mark.parametrize("value", ["", "a\udcffb"])
    def test_what_no_keychain_could_keep_is_refused(self, value: str) -> None:
        with pytest.raises(DataError):
            Secret(value)


def test_importing_it_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import notifycli.secrets.token_format;"
        "print({name.partition('.')[0] for name in set(sys.modules) - before}"
        " - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'notifycli'}\n"
