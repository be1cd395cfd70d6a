"""The sentences that Chatwoot writes into a conversation, and whom they are about."""

from __future__ import annotations

import pytest

from notifycli.chatwoot.activity import SENTENCES, Act, Activity, Names
from notifycli.rules.directory import Team, User

NAMES = Names(
    [
        User(7, name="Jane"),
        User(8, name="Omar"),
        User(9, name="Jane by Omar"),
        User(10, name="Kim"),
        User(11, name="Kim"),
        User(12, name="Billing"),
    ],
    [Team(2, "Support"), Team(3, "Billing")],
)
ASSIGNED, VIA = Act.ASSIGNED, Act.ASSIGNED_VIA_TEAM


@pytest.mark.parametrize(
    ("sentence", "read"),
    [
        pytest.param(
            "Assigned to Jane by Omar", Activity(ASSIGNED, "Jane", 7, None, 8), id="an agent"
        ),
        pytest.param(
            "Jane self-assigned this conversation",
            Activity(Act.SELF_ASSIGNED, "Jane", 7, None, 7),
            id="oneself",
        ),
        pytest.param(
            "Assigned to Support by Omar",
            Activity(Act.TEAM_ASSIGNED, "Support", None, 2, 8),
            id="a team, by the sentence of an agent",
        ),
        pytest.param(
            "Assigned to Jane via Support by Omar",
            Activity(VIA, "Jane", 7, 2, 8),
            id="an agent of a team",
        ),
        pytest.param(
            "Assigned to Jane by Omar by Omar",
            Activity(ASSIGNED, "Jane by Omar", 9, None, 8),
            id="a name with the word between names in it",
        ),
        pytest.param(
            "Assigned to Jane by Automation System",
            Activity(ASSIGNED, "Jane", 7, None, None),
            id="a rule did it: nobody",
        ),
        pytest.param(
            "Assigned to Kim by Omar",
            Activity(ASSIGNED, "Kim", None, None, 8, "Kim"),
            id="two have the name: not guessed",
        ),
        pytest.param(
            "Assigned to Billing by Omar",
            Activity(ASSIGNED, "Billing", None, None, 8, "Billing"),
            id="a user and a team have the name: not guessed",
        ),
        pytest.param(
            "Assigned to Ann by Omar",
            Activity(ASSIGNED, "Ann", None, None, 8, "Ann"),
            id="nobody has the name",
        ),
        pytest.param(
            "Conversation unassigned by Omar",
            Activity(Act.UNASSIGNED, "", None, None, 8),
            id="no longer assigned",
        ),
        pytest.param(
            "Conversation was reopened by Omar",
            Activity(Act.OPEN, "", None, None, 8),
            id="opened",
        ),
        pytest.param(
            "System reopened the conversation due to a new incoming message.",
            Activity(Act.OPEN),
            id="opened by a message",
        ),
        pytest.param(
            "Conversation was marked resolved by system due to 3 days of inactivity",
            Activity(Act.RESOLVED),
            id="resolved by the clock",
        ),
        pytest.param(
            "Jane von Omar zugewiesen", Activity(ASSIGNED, "Omar", 8, None, 7), id="German"
        ),
        pytest.param(
            "Asignado a Jane por Omar", Activity(ASSIGNED, "Jane", 7, None, 8), id="Spanish"
        ),
        pytest.param(
            "Atribuído a Jane por Omar", Activity(ASSIGNED, "Jane", 7, None, 8), id="Portuguese"
        ),
        pytest.param(
            "Omar によって Support 経由で Jane に割り当てられました",
            Activity(VIA, "Jane", 7, 2, 8),
            id="Japanese, where the actor comes first",
        ),
        pytest.param(
            "تم إسنادها إلى Jane بواسطة Omar", Activity(ASSIGNED, "Jane", 7, None, 8), id="Arabic"
        ),
        pytest.param(
            "Das Gespräch wurde von Omar gelöst",
            Activity(Act.RESOLVED, "", None, None, 8),
            id="resolved, in German",
        ),
        pytest.param(
            "Percakapan ditandai terselesaikan oleh sistem karena tidak ada aktifitas dalam 3 hari",
            Activity(Act.RESOLVED),
            id="resolved by the clock, in Indonesian",
        ),
        pytest.param("Omar added billing, urgent", None, id="labels change nothing here"),
        pytest.param("Omar has muted the conversation", None, id="nor does muting"),
    ],
)
def test_what_a_sentence_says(sentence: str, read: Activity | None) -> None:
    assert NAMES.read(sentence) == read


@pytest.mark.parametrize("language", SENTENCES)
def test_every_language_says_each_assignment_so_that_it_is_read_back(language: str) -> None:
    said = {
        Act.ASSIGNED: Activity(Act.ASSIGNED, "Jane", 7, None, 8),
        Act.SELF_ASSIGNED: Activity(Act.SELF_ASSIGNED, "Omar", 8, None, 8),
        Act.ASSIGNED_VIA_TEAM: Activity(Act.ASSIGNED_VIA_TEAM, "Jane", 7, 2, 8),
        Act.TEAM_ASSIGNED: Activity(Act.TEAM_ASSIGNED, "Support", None, 2, 8),
        Act.UNASSIGNED: Activity(Act.UNASSIGNED, "", None, None, 8),
        Act.TEAM_REMOVED: Activity(Act.TEAM_REMOVED, "Support", None, 2, 8),
    }
    read = {
        change: NAMES.read(
            SENTENCES[language][change][0].format(actor="Omar", assignee="Jane", team="Support")
        )
        for change in said
    }
    assert read == said


@pytest.mark.parametrize("language", SENTENCES)
def test_every_sentence_about_a_status_is_read_as_that_status_alone(language: str) -> None:
    about = (
        Act.RESOLVED,
        Act.OPEN,
        Act.PENDING,
        Act.SNOOZED,
    )
    said = {change: set(SENTENCES[language][change]) for change in about}
    for change, sentences in said.items():
        read = [NAMES.read(sentence.format(actor="Omar")) for sentence in sentences]
        assert [one and one.change for one in read] == [change] * len(sentences)
