"""What Chatwoot's flags and `ui_settings` are to us, and back."""

from __future__ import annotations

from typing import Any

import pytest

from notifycli.chatwoot.preference_mapping import (
    FLAGS,
    sounds,
    switches,
    ui_settings,
    unknown_flags,
)
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import KEYS

AUDIO = [
    ("none", "none"),
    ("mine", "assigned"),
    ("all", "all"),
    ("unassigned", "unassigned"),
    ("notme", "others"),
    ("assigned+unassigned", "assigned+unassigned"),
    ("assigned+unassigned+notme", "assigned+unassigned+others"),
]


@pytest.mark.parametrize(("theirs", "ours"), AUDIO)
def test_audio_alerts_are_the_preference_audio_and_back(theirs: str, ours: str) -> None:
    assert sounds({"enable_audio_alerts": theirs}) == {"audio": ours}
    assert ui_settings(lambda key: {"audio": ours}.get(key, KEYS[key].builtin)) == {
        "enable_audio_alerts": theirs,
        "always_play_audio_alert": False,
        "alert_if_unread_assigned_conversation_exist": False,
        "notification_tone": "ding",
    }


@pytest.mark.parametrize("nothing", [None, False, "", "false"])
def test_nothing_chosen_is_no_sound_however_it_is_written(nothing: object) -> None:
    assert sounds({"enable_audio_alerts": nothing}) == {"audio": "none"}


def test_the_other_sound_settings_are_ours_and_the_rest_is_passed_over() -> None:
    assert sounds(
        {
            "always_play_audio_alert": True,
            "alert_if_unread_assigned_conversation_exist": True,
            "notification_tone": "bell",
            "is_ct_labels_open": True,
        }
    ) == {"audio.when": "always", "audio.repeat": "on", "audio.tone": "bell"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"enable_audio_alerts": "everything"}, "audio: 'everything'"),
        ({"enable_audio_alerts": True}, "audio: True is no text"),
        ({"always_play_audio_alert": "yes"}, "audio.when: 'yes' is neither true nor false"),
        ({"notification_tone": "gong"}, "audio.tone: 'gong'"),
        ({"notification_tone": None}, "audio.tone: None is no text"),
    ],
)
def test_what_chatwoot_cannot_have_written_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sounds(wrong)


def test_flags_that_are_not_selected_are_off() -> None:
    selected = ["email_conversation_creation", "email_sla_missed_resolution"]
    on = {key for key, value in switches(Channel.EMAIL, selected).items() if value == "on"}
    assert on == {"email.conversation_creation", "email.sla_missed_resolution"}
    assert len(switches(Channel.EMAIL, selected)) == len(FLAGS[Channel.EMAIL])


def test_a_flag_of_another_channel_or_of_nobody_is_unknown() -> None:
    flags = ["push_conversation_mention", "email_conversation_mention", "push_new_one"]
    assert unknown_flags(Channel.PUSH, flags) == ["email_conversation_mention", "push_new_one"]
