"""The published examples of RFC 8291 and RFC 8292: they hold for the sender and for its judge."""

from __future__ import annotations

import os

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from notifycli.delivery.push_channel import encrypt
from tests.push.receiver import UserAgent, private_key, read_token, unb64

# RFC 8291, appendix A.
PLAINTEXT = b"When I grow up, I want to be a watermelon"
SENDER = private_key(unb64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
SALT = unb64("DGv6ra1nlYgDCS1FRnbzlw")
AGENT = UserAgent(
    private_key(unb64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")),
    unb64("BTBZMqHH6r4Tts7J_aSIgg"),
)
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
BODY = unb64(
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS"
    "6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu"
    "lcy4a-fN"
)
# RFC 8292, 2.4.
HEADER = (
    "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJ"
    "leHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_"
    "HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA, "
    "k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
)


def test_the_sender_encrypts_the_example_of_rfc_8291_to_the_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ec, "generate_private_key", lambda *_: SENDER)
    monkeypatch.setattr(os, "urandom", lambda length: SALT[:length])
    auth = "BTBZMqHH6r4Tts7J_aSIgg"
    assert encrypt(P256DH, auth, PLAINTEXT) == BODY


def test_the_judge_decrypts_the_example_of_rfc_8291() -> None:
    assert AGENT.p256dh == P256DH
    assert AGENT.decrypt(BODY) == PLAINTEXT


def test_the_judge_reads_the_example_of_rfc_8292() -> None:
    token = read_token(HEADER)
    assert token.claims == {
        "aud": "https://push.example.net",
        "exp": 1453523768,
        "sub": "mailto:push@example.com",
    }
    assert token.fault("https://push.example.net") == "exp"


def test_the_judge_refuses_a_signature_of_something_else() -> None:
    with pytest.raises(InvalidSignature):
        read_token(HEADER.replace("eyJhdWQiOiJodHRwczovL3B1c2g", "eyJhdWQiOiJodHRwczovL3B1c2k"))
