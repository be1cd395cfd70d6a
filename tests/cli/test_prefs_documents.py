"""`notifycli prefs export|import|diff|apply`: TOML, JSON and CSV, whole outputs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.conftest import DESK, Notifycli, Program, Result

TOML = """\
[default]
"push.conversation_creation" = "on"

[lock]
"audio.tone" = "bell"

[users."jane@example.com"]
"audio" = "all"

[users."jane@example.com".inbox.3]
"email.conversation_mention" = "on"

[users."omar@example.com"]
"quiet_hours" = "22:00-07:00 Europe/Berlin mon-fri"
"""
JSON = """\
{
  "default": {
    "push.conversation_creation": "on"
  },
  "lock": {
    "audio.tone": "bell"
  },
  "users": {
    "jane@example.com": {
      "audio": "all",
      "inbox": {
        "3": {
          "email.conversation_mention": "on"
        }
      }
    },
    "omar@example.com": {
      "quiet_hours": "22:00-07:00 Europe/Berlin mon-fri"
    }
  }
}
"""
CSV = """\
account,layer,user,inbox,key,value
1,default,,,push.conversation_creation,on
1,lock,,,audio.tone,bell
1,user,jane@example.com,,audio,all
1,inbox,jane@example.com,3,email.conversation_mention,on
1,user,omar@example.com,,quiet_hours,22:00-07:00 Europe/Berlin mon-fri
"""
DOCUMENTS = {"toml": TOML, "json": JSON, "csv": CSV}
HEAD = "layer,user,key,value\n"
OTHERS = (
    "".join(
        f"user,8,{channel}.{type_},on\n"
        for channel in ("email", "push")
        for type_ in ("created", "assigned", "mention", "message", "participating")
    )
    * 700
)
"""So much that what stands around it is neither checked nor stored at once."""

# A document that contradicts itself, and what is said of its entries.
CONTRADICTIONS = [
    pytest.param(
        "p.csv",
        f"{HEAD}lock,,push.mention,on\nlock,,push.mention,off\n",
        ["p.csv:3: push.conversation_mention is off here, and on at p.csv:2"],
        id="CSV",
    ),
    pytest.param(
        "p.csv",
        f"{HEAD}user,7,audio,all\n{OTHERS}user,JANE@example.com,audio,none\n",
        ["p.csv:7003: audio is none here, and all at p.csv:2"],
        id="far apart",
    ),
    pytest.param(
        "p.csv",
        f"{HEAD}user,7,audio,all\nuser,7,audio,none\nuser,9,audio,all\nuser,77,audio,all\n"
        "user,7,audio,mine\n",
        [
            "p.csv:5: user: account 1 has no user '77'; did you mean 7?",
            "p.csv:3: audio is none here, and all at p.csv:2",
            "p.csv:6: audio is assigned here, and all at p.csv:2",
        ],
        id="beside what else is wrong",
    ),
    pytest.param(
        "p.toml",
        '[users.7]\naudio = "all"\n[users."JANE@example.com"]\naudio = "none"\n'
        '[users."jane@example.com"]\naudio = "mine"\n',
        [
            (
                'p.toml: users."JANE@example.com".audio: audio is none here, and all at'
                " p.toml: users.7.audio"
            ),
            (
                'p.toml: users."jane@example.com".audio: audio is assigned here, and all at'
                " p.toml: users.7.audio"
            ),
        ],
        id="one user by several names",
    ),
    pytest.param(
        "p.json",
        '{"lock": {"email.mention": "on", "email_conversation_mention": false}}',
        [
            (
                "p.json: lock.email_conversation_mention: email.conversation_mention is off here,"
                ' and on at p.json: lock."email.mention"'
            ),
        ],
        id="one key by several names",
    ),
    pytest.param(
        "p.csv",
        f"{HEAD}lock,,email.mention,on\nlock,,email.*,off\n",
        ["p.csv:3: email.conversation_mention is off here, and on at p.csv:2"],
        id="a glob after one of its keys",
    ),
    pytest.param(
        "p.csv",
        f"{HEAD}lock,,email.*,off\nlock,,email.mention,on\nlock,,email.mention,off\n",
        ["p.csv:4: email.conversation_mention is off here, and on at p.csv:3"],
        id="two exceptions from a glob",
    ),
]
POLICY = """\
# The policy of the desk
[default]
"email.created" = true

[users."jane@example.com"]
audio = "mine" # while on call
email.mention = "off"
"""


def records(desk: Notifycli, *arguments: str) -> list[tuple[object, ...]]:
    return [tuple(one.values()) for one in desk("prefs", *arguments).records]


@pytest.fixture
def set_desk(desk: Notifycli) -> Notifycli:
    """A desk in which something is set in every layer."""
    desk.ok("prefs", "import", "-", stdin=TOML.encode())
    return desk


@pytest.mark.parametrize("format_", DOCUMENTS)
def test_an_export_is_the_whole_account_in_order(set_desk: Notifycli, format_: str) -> None:
    exported = set_desk.ok("prefs", "export", "--format", format_)
    assert exported.stdout.decode() == DOCUMENTS[format_]


@pytest.mark.parametrize("written", DOCUMENTS)
@pytest.mark.parametrize("name", ["-", "document"], ids=["stdin", "a name that tells nothing"])
def test_a_document_is_known_by_its_content(desk: Notifycli, written: str, name: str) -> None:
    if name != "-":
        desk.write(name, DOCUMENTS[written])
    desk.ok("prefs", "import", name, stdin=DOCUMENTS[written].encode())
    assert desk.ok("prefs", "export").stdout.decode() == TOML


def test_an_empty_account_still_says_that_its_layers_are_empty(desk: Notifycli) -> None:
    assert desk.ok("prefs", "export").stdout == b"[default]\n\n[lock]\n"


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (["lock"], '[lock]\n"audio.tone" = "bell"\n'),
        (["inbox"], '[users."jane@example.com".inbox.3]\n"email.conversation_mention" = "on"\n'),
        (["lock", "default"], TOML.split("\n\n[users", 1)[0] + "\n"),
    ],
    ids=" and ".join,
)
def test_an_export_of_some_layers(set_desk: Notifycli, layers: list[str], expected: str) -> None:
    options = [option for layer in layers for option in ("--layer", layer)]
    assert set_desk.ok("prefs", "export", *options).stdout.decode() == expected


DIFFERENCES = [
    (1, "default", None, None, None, "email.conversation_creation", None, "on"),
    (1, "default", None, None, None, "push.conversation_creation", "on", None),
    (1, "user", 7, "jane@example.com", None, "audio", "all", "assigned"),
    (1, "user", 7, "jane@example.com", None, "email.conversation_mention", None, "off"),
]


@pytest.mark.parametrize("command", [["diff", "-"], ["apply", "-", "--dry-run"]], ids=" ".join)
def test_the_difference_is_told_and_nothing_is_changed(
    set_desk: Notifycli, command: list[str]
) -> None:
    found = set_desk.ok("prefs", *command, stdin=POLICY.encode()).records
    assert [tuple(one.values()) for one in found] == DIFFERENCES
    assert list(found[0]) == [
        *("account_id", "layer", "user_id", "email", "inbox_id", "key", "old", "new")
    ]
    assert set_desk.ok("prefs", "export").stdout.decode() == TOML


def test_apply_takes_away_what_the_users_and_layers_it_names_have_besides(
    set_desk: Notifycli,
) -> None:
    set_desk.write("policy.toml", POLICY)
    set_desk.ok("prefs", "apply", "policy.toml")
    assert set_desk.ok("prefs", "export").stdout.decode() == TOML.replace(
        '"push.conversation_creation" = "on"', '"email.conversation_creation" = "on"'
    ).replace('"audio" = "all"\n', '"audio" = "assigned"\n"email.conversation_mention" = "off"\n')
    assert (set_desk.folder / "policy.toml").read_text() == POLICY
    assert records(set_desk, "diff", "policy.toml") == []


def test_import_only_adds(set_desk: Notifycli) -> None:
    set_desk.ok("prefs", "import", "-", stdin=b'[default]\n[users."jane@example.com"]\n')
    assert set_desk.ok("prefs", "export").stdout.decode() == TOML


def test_an_empty_table_empties_a_user(set_desk: Notifycli) -> None:
    set_desk.ok("prefs", "apply", "-", stdin=b'[users."jane@example.com"]\n')
    assert records(set_desk, "history", "--limit", "1")[0][5:] == (
        *("user", 7, "jane@example.com", None, "audio", "all", None),
    )


@pytest.mark.parametrize(("document", "status"), [(POLICY, 1), ("", 0)], ids=["some", "none"])
def test_exit_code_tells_whether_anything_differs(
    set_desk: Notifycli, document: str, status: int
) -> None:
    told = set_desk(
        "prefs", "diff", "-", "--exit-code", "--format", "toml", stdin=document.encode()
    )
    assert told.status == status


BAD = [
    pytest.param(
        "p.toml",
        '[users."jnae@example.com"]\naudio = "all"\n'
        '[users."jane@example.com"]\n"email.creatd" = "on"\n'
        '[users."jane@example.com".inbox.0]\naudio = "all"\n[locks]\n[default]\naudio = 1.5\n',
        [
            """p.toml: users."jnae@example.com": user: account 1 has no user 'jnae@example""",
            """p.toml: users."jane@example.com"."email.creatd": there is no preference 'email""",
            """p.toml: users."jane@example.com".inbox.0: inbox: '0' is no number from 1 on""",
            "p.toml: locks: there is no such table; did you mean lock?",
            "p.toml: default.audio: 1.5 is no text",
        ],
        id="TOML, each by its path",
    ),
    pytest.param(
        "p.json",
        '{"users": {"omar@example.com": {"audio": "loud", "inbox": 3}}, "default": [], '
        '"lock": {"audio": null}}',
        [
            """p.json: users."omar@example.com".audio: audio: 'loud': the value is none, all""",
            'p.json: users."omar@example.com".inbox: is no table',
            "p.json: default: is no table",
            "p.json: lock.audio: null is no text",
        ],
        id="JSON, each by its path",
    ),
    pytest.param(
        "p.toml", "[default]\naudio = all\n", ["p.toml:2: Invalid value"], id="TOML that is none"
    ),
    pytest.param(
        "p.toml",
        '[users."jane@example.com"]\nemail = { mention = "on" }\n'
        '[users."jane@example.com".inboxes.3]\naudio = "all"\n'
        '[users."jane@example.com".conversations.3]\naudio = "all"\n',
        [
            """p.toml: users."jane@example.com".inboxes: there is no such table; did you mean in""",
            (
                """p.toml: users."jane@example.com".conversations: there is no such table; """
                "did you mean conversation?"
            ),
        ],
        id="TOML, tables by another name",
    ),
    pytest.param(
        "desk.json", json.dumps(DESK), ["desk.json: a directory, not preferences"], id="a directory"
    ),
    pytest.param("p.json", '{\n"default": {,}}', ["p.json:2: "], id="JSON that is none"),
    pytest.param(
        "p.json",
        "{}\n{}\n",
        ["p.json:2: there is more after the one object that a document is"],
        id="two objects",
    ),
    pytest.param(
        "p.json",
        '{"users": {"jane@example.com": {"audio": "all"}, "7": {"audio": "all"}},\n'
        '"default": {"audio": "{",\n"email.mention": "on",\n"audio" : "none"}}',
        [
            'p.json:4: "audio" stands twice, first at p.json:2',
            "  leave one of the two, with all that belongs there",
        ],
        id="JSON, a name that stands twice",
    ),
    pytest.param(
        "p.toml",
        '[users."jane@example.com"]\naudio = "all"\n\n[users."omar@example.com"]\r\n'
        '"email.*" = """\n[default]"""\n[users."jane@example.com"]\n"audio" = "none"\n',
        [
            'p.toml:7: [users."jane@example.com"] stands twice, first at p.toml:1',
            "  leave one of the two, with all that belongs there",
        ],
        id="TOML, a table that stands twice",
    ),
    pytest.param(
        "p.toml",
        '[lock]\n"email.mention" = "on"\n[default]\n"email.mention" = "on"\naudio = "all"\n'
        '"email.mention" = "off"',
        [
            'p.toml:6: "email.mention" stands twice, first at p.toml:4',
            "  leave one of the two, with all that belongs there",
        ],
        id="TOML, a key that stands twice",
    ),
    pytest.param("p.json", "[1]", ["p.json:1: is no object"], id="a list"),
    pytest.param("p.toml", b'\n"a" = "\xff"', ["p.toml:2: no UTF-8"], id="bytes that are no text"),
    pytest.param(
        "p.csv",
        b"account,layer,user,inbox,key,value\n1,user,7,,audio,all\n1,user,8,,audio,\xff\n",
        ["p.csv:3: no UTF-8"],
        id="a row that is no text",
    ),
]


@pytest.mark.parametrize("command", ["import", "apply", "diff", "drift"])
@pytest.mark.parametrize(("name", "document", "told"), BAD)
def test_every_fault_is_named_with_its_place_and_nothing_is_stored(
    set_desk: Notifycli, command: str, name: str, document: str | bytes, told: list[str]
) -> None:
    result = set_desk("prefs", command, set_desk.write(name, document))
    assert (result.status, result.stdout) == (65, b"")
    lines = result.stderr.removeprefix("error: ").splitlines()
    assert [line[: len(start)] for line, start in zip(lines, told, strict=False)] == told
    assert "stored" not in result.stderr or command in {"import", "apply"}
    assert set_desk.ok("prefs", "export").stdout.decode() == TOML


MEND = "mend these entries and try again"
REMEDIES = [
    pytest.param(
        "p.toml",
        '[users.21]\naudio = "all"\n[users.22]\naudio = "all"\n',
        f"tell who there is first: notifycli directory import FILE; or {MEND}",
        id="nobody is known",
    ),
    pytest.param(
        "p.toml", '[users.21]\naudio = "all"\n[users.7]\naudio = "loud"\n', MEND, id="other faults"
    ),
    pytest.param(
        "desk.json",
        json.dumps(DESK),
        "try: notifycli directory import desk.json",
        id="a directory",
    ),
    pytest.param(
        "day.jsonl",
        '{"event": "x"}\n{"event": "y"}\n',
        "see the shape of one: notifycli prefs export --format json",
        id="events",
    ),
]


@pytest.mark.parametrize(("name", "document", "remedy"), REMEDIES)
def test_a_bad_document_is_told_with_its_remedy(
    desk: Notifycli, name: str, document: str, remedy: str
) -> None:
    told = desk("prefs", "import", desk.write(name, document)).stderr
    assert told.splitlines()[-1] == f"  {remedy}"


NOT_ADDED = """\
[default]
"pager.conversation_mention" = "on"

[lock]

[users."jane@example.com"]
"audio" = "all"
"slack-eu.conversation_mention" = "off"

[users."jane@example.com".inbox.3]
"pager.team_assignment" = "on"
"""
"""What a store holds whose plug-ins are not installed here."""


@pytest.mark.parametrize("format_", DOCUMENTS)
def test_what_is_set_for_a_channel_that_is_not_installed_here_goes_from_store_to_store(
    desk: Notifycli, format_: str
) -> None:
    file = desk.write("policy.toml", NOT_ADDED)
    warnings = "".join(
        f"warning: {{file}}: nothing here adds the channel {channel}: what is set for it is sent "
        "once its package is installed\n"
        for channel in ("pager", "slack-eu")
    )
    told = f"{warnings}{{file}}: 4 preferences read, {{changed}} changed\n"
    assert desk.ok("prefs", "import", file).stderr == told.format(file=file, changed=4)
    exported = desk.ok("prefs", "export", "--format", format_).stdout
    again = desk.write(f"again.{format_}", exported)
    compared = desk.ok("prefs", "diff", again)
    assert (compared.stdout, compared.stderr) == (
        b"",
        warnings.format(file=again) + "no differences\n",
    )
    drifted = desk.ok("prefs", "drift", again)
    assert drifted.stderr == warnings.format(file=again) + "nobody differs\n"
    assert desk.ok("prefs", "apply", again).stderr == told.format(file=again, changed=0)
    assert desk.ok("prefs", "export").stdout.decode() == NOT_ADDED
    desk.ok("prefs", "unset", "pager.mention", "--default")
    desk.ok("prefs", "export", "--update", file)
    left = NOT_ADDED.replace('"pager.conversation_mention" = "on"\n', "")
    assert Path(desk.folder, file).read_text() == left
    # A team's assignment is none of Chatwoot's types, and `slack.*` doesn't stand for it.
    desk.ok("prefs", "unset", "pager.*", "--inbox", "3", "-u", "7")
    assert "pager" not in desk.ok("prefs", "export").stdout.decode()


def test_a_channel_that_is_misspelt_is_no_channel_of_another_package(desk: Notifycli) -> None:
    document = '[default]\n"slakc.conversation_mention" = "on"\n"emails.mention" = "on"\n'
    result = desk("prefs", "import", desk.write("policy.toml", document))
    near, wrong = "slack.conversation_mention", "slakc.conversation_mention"
    assert result.status == 65
    assert result.stderr == (
        f'error: policy.toml: default."{wrong}": there is no preference {wrong!r}: '
        f"nothing here adds a channel 'slakc'; did you mean {near}?\n"
        """policy.toml: default."emails.mention": there is no preference 'emails.mention'; """
        f"did you mean email.mention?\nnothing was stored\n  {MEND}\n"
    )


def test_what_a_lock_forbids_is_named_and_nothing_is_stored(set_desk: Notifycli) -> None:
    document = b'[users."jane@example.com"]\n"audio" = "none"\n"audio.tone" = "ping"\n'
    result = set_desk("prefs", "apply", "-", stdin=document)
    assert (result.status, result.stderr.splitlines()) == (
        77,
        [
            'error: <stdin>: users."jane@example.com"."audio.tone": audio.tone is locked to bell',
            "nothing was stored",
            "  an administrator can unlock it: notifycli prefs unset --lock audio.tone",
        ],
    )
    assert set_desk.ok("prefs", "export").stdout.decode() == TOML


def test_a_document_that_unlocks_a_key_may_set_it(set_desk: Notifycli) -> None:
    document = b'[lock]\n[users."jane@example.com"]\n"audio.tone" = "ping"\n'
    set_desk.ok("prefs", "apply", "-", stdin=document)
    assert set_desk.ok("prefs", "export", "--layer", "lock").stdout == b"[lock]\n"


def test_the_difference_is_a_coloured_table_on_a_terminal(
    set_desk: Notifycli, program: Program
) -> None:
    set_desk.write("policy.toml", POLICY)
    shown = program.on_terminal("prefs", "diff", "policy.toml").stdout.decode()
    assert "\x1b[31mall" in shown
    assert "\x1b[32massigned" in shown
    assert "jane@example.com" in shown


COMMENTED = """\
# Our policy
[default]
push.created = "off" # everybody

# On call
[users."Jane@Example.com"]
"email.*" = "off"   # no mail
audio = "all"

[users."gone@example.com"]
audio = "all"
"""
UPDATED = """\
# Our policy
[default]
"push.conversation_creation" = "on"

# On call
[users."Jane@Example.com"]
audio = "all"

[lock]
"audio.tone" = "bell"

[users."jane@example.com".inbox.3]
"email.conversation_mention" = "on"

[users."omar@example.com"]
"quiet_hours" = "22:00-07:00 Europe/Berlin mon-fri"
"""


def test_a_file_is_brought_up_to_date_in_place(set_desk: Notifycli) -> None:
    file = Path(set_desk.folder, set_desk.write("policy.toml", COMMENTED))
    set_desk.ok("prefs", "export", "--update", "policy.toml", "--layer", "lock")
    assert file.read_text().startswith(COMMENTED)
    file.write_text(COMMENTED)
    file.chmod(0o640)
    set_desk.ok("prefs", "export", "--update", "policy.toml")
    assert (file.read_text(), file.stat().st_mode & 0o777) == (UPDATED, 0o640)
    told = set_desk.ok("prefs", "export", "--update", "policy.toml").stderr
    assert (file.read_text(), told) == (UPDATED, "policy.toml: is up to date\n")
    assert [path.name for path in set_desk.folder.iterdir()] == ["policy.toml"]


def test_a_compressed_file_is_not_brought_up_to_date_but_left_as_it_is(set_desk: Notifycli) -> None:
    packed = gzip.compress(COMMENTED.encode())
    file = Path(set_desk.folder, set_desk.write("her policy.toml.gz", packed))
    assert set_desk("prefs", "export", "--update", file.name) == Result(
        2,
        b"",
        "error: her policy.toml.gz is compressed, and would be written plain\n"
        "  unpack it first: gunzip 'her policy.toml.gz'; "
        "notifycli prefs export --update 'her policy.toml'\n",
    )
    assert file.read_bytes() == packed


def test_users_without_an_address_are_named_by_id(desk: Notifycli) -> None:
    users = json.dumps({"users": [{"id": 70, "email": None}]})
    desk.ok("directory", "import", "-", stdin=users.encode())
    desk.ok("prefs", "set", "audio=all", "-u", "70")
    exported = desk.ok("prefs", "export", "--layer", "user").stdout
    assert exported == b'[users.70]\n"audio" = "all"\n'
    desk.ok("prefs", "unset", "audio", "-u", "70")
    desk.ok("prefs", "import", "-", stdin=exported)
    assert desk.ok("prefs", "export", "--layer", "user").stdout == exported


@pytest.mark.parametrize("written", ["json", "csv"])
def test_the_common_option_chooses_how_an_export_is_written(desk: Notifycli, written: str) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    by_format = desk.ok("prefs", "export", "--format", written).stdout
    assert desk.ok("prefs", "export", "-o", written).stdout == by_format
    assert desk("prefs", "export", "-o", "tsv").status == 2


@pytest.mark.parametrize(("name", "text", "faults"), CONTRADICTIONS)
def test_what_contradicts_itself_is_named_with_both_places_and_nothing_is_stored(
    desk: Notifycli, name: str, text: str, faults: list[str]
) -> None:
    told = "\n".join(faults)
    desk.write(name, text)
    before = desk.ok("prefs", "export").stdout
    for verb, left in (
        ("import", "\nnothing was stored"),
        ("apply", "\nnothing was stored"),
        ("diff", ""),
    ):
        result = desk("prefs", verb, name)
        assert (result.status, result.stdout) == (65, b"")
        assert result.stderr == f"error: {told}{left}\n  mend these entries and try again\n"
    assert desk.ok("prefs", "export").stdout == before


def test_a_proposal_that_contradicts_itself_is_refused_too(desk: Notifycli) -> None:
    desk.write("p.csv", f"{HEAD}lock,,push.mention,on\nlock,,push.mention,off\n")
    result = desk("simulate", "--prefs", "p.csv", stdin=b"")
    assert (result.status, result.stdout) == (65, b"")
    assert "p.csv:3: push.conversation_mention is off here, and on at p.csv:2" in result.stderr


def test_a_key_after_a_glob_is_its_exception(desk: Notifycli) -> None:
    text = f"{HEAD}user,7,*.mention,off\nuser,7,email.mention,on\n{OTHERS}user,7,push.mention,on\n"
    desk.ok("prefs", "import", desk.write("p.csv", text))
    listed = desk.ok("prefs", "list", "*.mention", "-u", "7").records
    assert [(one["key"], one["value"]) for one in listed] == [
        ("email.conversation_mention", "on"),
        ("push.conversation_mention", "on"),
    ]
