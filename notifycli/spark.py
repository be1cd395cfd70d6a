"""The replay on a cluster, for logs that one machine is too small for: `docs/cluster.md`.

    spark-submit .../notifycli/spark.py --db STORE --summary --out PLACE LOG...

It drives the functions of `notifycli.replay.fold`, as one process does. Each part of the input is
read by a task, and its events go to others by account, as blocks and never as rows: an account is
folded by one task, in order. One that is too large is shared out by conversation; what its parts
tell of who is there and what time it is goes by way of the driver to all who fold it. The store is
read by the driver alone.
"""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import astuple, replace
from typer.main import get_command

from notifycli.cli.command import (
    SOME_USERS,
    ChannelOption,
    ConversationOption,
    InboxNames,
    TypeOption,
    a_number,
    command_class,
    session_of,
)
from notifycli.cli.main import run as run_program
from notifycli.cli.profiles import Rules
from notifycli.cli.replay_run import Proposal, Run, read_selection
from notifycli.cli.simulate import (
    Asked,
    Diff,
    Explain,
    PrefsFile,
    Settings,
    Summary,
    finish,
    prepare,
)
from notifycli.cli.times import Since, Until
from notifycli.errors import NotifycliError, UnavailableError, UsageError
from notifycli.events.event import Due, Event
from notifycli.replay.fold import (
    Clocks,
    Share,
    Told,
    carry,
    deal,
    find_repeats,
    fold,
    in_order,
    tell,
)
from notifycli.replay.packed_events import without_text
from notifycli.replay.scan import read_events, read_part
from notifycli.replay.sources import (
    BadLines,
    Inputs,
    can_be_shared,
    file_errors,
    find_remote,
    is_remote,
    shown,
)
from notifycli.rules.counts import Changes, Counts
from notifycli.rules.decision import (
    ChangedDecision,
    Decision,
    Selection,
    difference,
    join_fields,
)
from notifycli.rules.directory import Directory
from notifycli.rules.layers import Preferences, links_conversations
from notifycli.rules.profile import NOTIFYCLI, Profile
from notifycli.rules.replay import Account, Evaluation, Replay, event_fields
from notifycli.rules.state import Conversation, Sign

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyspark.sql import DataFrame, SparkSession

_HUGE = 10_000_000
_SMALLEST_PART, _LARGEST_PART = 4 << 20, 64 << 20
_PARTS_A_CORE = 4
_TASKS_A_CORE = 3
_ROWS = 4096
_SCANNED = "part int, account long, events long, block binary"
_DEALT = "part int, account long, share int, block binary"
_TOLD = "part int, account long, block binary"
_encode = msgspec.msgpack.Encoder().encode
_decode_events = msgspec.msgpack.Decoder(list[Event]).decode
_decode_share = msgspec.msgpack.Decoder(Share).decode
_decode_told = msgspec.msgpack.Decoder(Told).decode
_decode_places = msgspec.msgpack.Decoder(list[int]).decode
Row = dict[str, Any]
Batches = Iterator["RecordBatch"]
Known = Mapping[int, tuple[Directory, Preferences, Profile]]
"""What the store says of accounts."""


class TaskInput(NamedTuple):
    """What one task reads: a file, or a part of a large one of plain lines."""

    file: str
    begin: int = 0
    end: int | None = None
    is_part: bool = False


class Job(Struct):
    """What every task knows."""

    pieces: list[TaskInput]
    sides: list[Known]
    """As proposed; and, to compare them with, as they are."""
    fallback: int
    selection: Selection
    columns: tuple[str, ...]
    """Of a decision; none where decisions are merely counted."""
    explain: bool

    def is_undivided(self, account: int) -> bool:
        """Whether the conversations of an account can't be folded apart from each other."""
        return any(links_conversations(side[account][1]) for side in self.sides if account in side)


class Header(Struct):
    """What a part says beside its events."""

    lines: int = 0
    faults: list[tuple[str, str, int, str]] = []
    """How each is reported, the file, the line in the part or 0, and what is wrong."""
    failure: NotifycliError | None = None
    """Why it can't be read."""


class AccountCounts(Struct):
    """What a task has counted."""

    counts: Counts
    changes: Changes
    events: int
    conversations: set[tuple[int, int]]
    """Those that it met, with their account, if any is selected."""


class _Faults(BadLines):
    """Keeps what is to be reported by the driver."""

    def __init__(self) -> None:
        super().__init__(print)
        self.kept: list[tuple[str, str, int, str]] = []

    def add(self, place: str, fault: str) -> None:
        """Keep a line."""
        self.kept.append(("add", place, 0, fault))

    def refuse(self, file: str, fault: str) -> None:
        """Keep a file."""
        self.kept.append(("refuse", file, 0, fault))

    def break_off(self, place: str, fault: str) -> None:
        """Keep where a file is damaged."""
        self.kept.append(("break_off", place, 0, fault))

    def pass_over(self, file: str, why: str) -> None:
        """Keep that a file was not read."""
        self.kept.append(("pass_over", file, 0, why))


def read_piece(piece: TaskInput) -> tuple[list[Event], Header]:
    """Read what one task is to read; the lines of a part are counted from its start."""
    if piece.is_part:
        with file_errors(piece.file), open(piece.file, "rb") as file:  # noqa: PTH123 - as `read_part` wants it
            part = read_part(file, piece.begin, piece.end)
        faults = [("add", piece.file, fault.number, fault.text) for fault in part.scanned.faults]
        return part.events, Header(part.scanned.lines, faults)
    faults_of_file = _Faults()
    events = [*read_events(Inputs((piece.file,), lambda: 0), faults_of_file)]
    return events, Header(0, faults_of_file.kept)


def scan(job: Job, numbers: Iterable[int]) -> Iterator[Row]:
    """Read parts: of each its header, and a block of events for each account."""
    for number in numbers:
        events: list[Event] = []
        try:
            events, header = read_piece(job.pieces[number])
        except NotifycliError as error:
            header = Header(failure=error)
        yield {"part": number, "account": None, "events": 0, "block": pickle.dumps(header)}
        of_account: dict[int, list[Event]] = {}
        for event in events:
            if event.account is None:
                event.account = job.fallback
            of_account.setdefault(event.account, []).append(without_text(event))
        for account, own in of_account.items():
            yield {"part": number, "account": account, "events": len(own), "block": _encode(own)}


class AccountPass:
    """What is made of the events of one account: rows of decisions, and counts."""

    def __init__(self, job: Job, account: int, lines: Sequence[int]) -> None:
        known = (side.get(account, (Directory(), Preferences(), NOTIFYCLI)) for side in job.sides)
        self._sides = [
            Replay({account: Account(*one)}, job.fallback, job.selection) for one in known
        ]
        self.replay = self._sides[0]
        self.timed = [side for side in self._sides if side.has_deadlines]
        self._account = account
        self._job = job
        self._lines = lines
        self._part = 0
        self._events = 0
        self._changes = Changes()

    def begin(self, part: int, events: list[Event]) -> list[Event]:
        """Go on to the events of a part; their lines are counted from the file's start now."""
        self._part = part
        for event in events:
            event.line += self._lines[part]
        return events

    def fold(self, event: Event, *, news: bool) -> list[tuple[object, ...]] | None:
        """Return the rows of an event's decisions."""
        self._events += not isinstance(event, Due)
        if not news:
            return None
        *before, after = [side.fold(event) for side in reversed(self._sides)]
        decided: Iterable[Decision] = ()
        if before:
            decided = self._differences(event, before[0], after)
        elif self._job.columns and after is not None:
            decided = self._select(event, after, everything=self._job.explain)
        if not self._job.columns:
            return None
        file = shown(self._job.pieces[self._part].file)
        return [astuple(replace(one, file=file)) for one in decided]

    def _select(self, event: Event, one: Evaluation, *, everything: bool) -> list[Decision]:
        fields, takes = event_fields(event), self._job.selection.takes_kind
        return [
            join_fields(fields, d)
            for d in (one.everything if everything else one.fired)
            if takes(self._account, d.user_id, d.channel, d.type)
        ]

    def _differences(
        self, event: Event, before: Evaluation | None, after: Evaluation | None
    ) -> list[ChangedDecision]:
        sides = (before, after)
        fired = [[] if side is None else [_kind(d) for d in side.fired] for side in sides]
        if fired[0] == fired[1]:
            return []
        first, second = (
            {}
            if side is None
            else {_kind(d): d for d in self._select(event, side, everything=True)}
            for side in sides
        )
        pairs = ((first.get(kind), second.get(kind)) for kind in {**second, **first})
        compared = (difference(*pair, explain=self._job.explain) for pair in pairs)
        changed = [one for one in compared if one is not None]
        for one in changed:
            self._changes.add(one)
        return changed

    def keep(self, sign: Sign) -> None:
        """Keep who is there."""
        for side in self._sides:
            side.accounts[sign.account].keep(sign)

    def counted(self) -> AccountCounts:
        """Return what was counted."""
        account, conversations = self._account, set[tuple[int, int]]()
        if self._job.selection.conversations:
            met = self.replay.accounts[account].conversations
            conversations = {(account, number) for number in met}
        return AccountCounts(self.replay.counts(), self._changes, self._events, conversations)


def _kind(decided: Any) -> tuple[object, ...]:
    return decided.user_id, decided.type, decided.channel


def fold_accounts(job: Job, lines: Sequence[int], rows: Iterable[Row]) -> Iterator[Row]:
    """Fold accounts whole; their rows come by account, in the order of parts."""
    for account, parts in groupby(rows, itemgetter("account")):
        one = AccountPass(job, account, lines)
        events = (one.begin(row["part"], _decode_events(row["block"])) for row in parts)
        yield from _rows_of(job, one, in_order(chain.from_iterable(events), one))


def deal_accounts(job: Job, shares: int, rows: Iterable[Row]) -> Iterator[Row]:
    """Share out accounts by conversation."""
    for row in rows:
        for share, dealt in enumerate(deal(_decode_events(row["block"]), job.fallback, shares)):
            if dealt.places:
                named = {"part": row["part"], "account": row["account"], "share": share}
                yield {**named, "block": _encode(dealt)}


def find_all_repeats(job: Job, rows: Iterable[Row]) -> Iterator[Row]:
    """Return the places of what comes again, by account and part; shares come one by one."""
    for (account, _), parts in groupby(rows, itemgetter("account", "share")):
        replay = AccountPass(job, account, ()).replay
        for row in parts:
            places = find_repeats(replay, _decode_share(row["block"]))
            if places:
                yield {"part": row["part"], "account": account, "block": _encode(places)}


def tell_all(repeats: Mapping[tuple[int, int], set[int]], rows: Iterable[Row]) -> Iterator[Row]:
    """Return what each part of an account tells those who fold any of its events."""
    for row in rows:
        key = row["account"], row["part"]
        events = _decode_events(row["block"])
        told = tell(events, repeats.get(key, set()))
        yield {"part": row["part"], "account": row["account"], "block": _encode(told)}


def fold_shares(
    job: Job, lines: Sequence[int], told: Mapping[int, Mapping[int, bytes]], rows: Iterable[Row]
) -> Iterator[Row]:
    """Fold shares of accounts; `told` is by account and part."""
    for (account, _), parts in groupby(rows, itemgetter("account", "share")):
        one, clocks = AccountPass(job, account, lines), Clocks()
        shares = {row["part"]: row["block"] for row in parts}
        yield from _rows_of(job, one, _folded(one, shares, told[account], clocks))


def _folded(
    one: AccountPass, shares: Mapping[int, bytes], told: Mapping[int, bytes], clocks: Clocks
) -> Iterator[list[tuple[object, ...]]]:
    for part in sorted(told):
        share = _decode_share(shares[part]) if part in shares else Share()
        one.begin(part, share.events)
        said = _decode_told(told[part])
        repeats = {*find_repeats(one.replay, share)}
        yield from (made for _, made in fold(one, share, repeats, said, clocks))
        carry(clocks, said)


def _rows_of(job: Job, one: AccountPass, made: Iterator[list[tuple[object, ...]]]) -> Iterator[Row]:
    """Return rows of decisions, and a last one of what was counted."""
    names, none = job.columns, dict.fromkeys(job.columns)
    for row in chain.from_iterable(made):
        yield {**dict(zip(names, row, strict=True)), "counted": None}
    yield {**(none if job.columns else {}), "counted": pickle.dumps(one.counted())}


def _in_arrow(
    work: Callable[[Iterable[Row]], Iterator[Row]], schema: str
) -> Callable[[Batches], Batches]:
    """Make of a function from rows to rows one from Arrow's batches to such."""
    names = [column.split()[0] for column in schema.split(", ")]
    types = [column.split()[1] for column in schema.split(", ")]

    def of_batches(batches: Batches) -> Batches:
        import pyarrow as pa  # noqa: PLC0415 - it comes with Spark

        kinds = {
            "int": pa.int32(),
            "long": pa.int64(),
            "binary": pa.binary(),
            "string": pa.string(),
            "boolean": pa.bool_(),
        }
        arrow = pa.schema([(n, kinds[t]) for n, t in zip(names, types, strict=True)])
        rows = work(row for batch in batches for row in batch.to_pylist())
        while some := [*islice(rows, _ROWS)]:
            yield pa.RecordBatch.from_pylist(some, schema=arrow)

    return of_batches


class Cluster:
    """A replay's stages, as Spark runs them."""

    def __init__(self, spark: SparkSession, job: Job, huge: int) -> None:
        self._spark = spark
        self._job = spark.sparkContext.broadcast(job)
        self._huge = huge
        self._cores = spark.sparkContext.defaultParallelism
        self._lines: Any = None
        decision = [f"{name} {_type_of(name)}" for name in job.columns]
        self._folded = ", ".join([*decision, "counted binary"])

    def scan(self, bad: BadLines) -> DataFrame:
        """Read all there is, and report what is no event. Raises as `read_events` does."""
        from pyspark import StorageLevel  # noqa: PLC0415 - as everything of Spark here
        from pyspark.sql.functions import col  # noqa: PLC0415

        job, pieces = self._job, self._job.value.pieces
        numbers = self._spark.range(0, len(pieces), 1, len(pieces))
        scanned = numbers.mapInArrow(
            _in_arrow(lambda rows: scan(job.value, (row["id"] for row in rows)), _SCANNED), _SCANNED
        ).persist(StorageLevel.DISK_ONLY)
        said = scanned.where(col("account").isNull()).select("part", "block").collect()
        headers = [pickle.loads(block) for _, block in sorted(map(tuple, said))]  # noqa: S301 - our own
        lines, before = list[int](), 0
        for piece, header in zip(pieces, headers, strict=True):
            if header.failure is not None:
                raise header.failure
            before = before if piece.begin else 0
            lines.append(before)
            for method, place, number, text in header.faults:
                where = f"{place}:{before + number}" if number else place
                getattr(bad, method)(where, text)
            before += header.lines
        self._lines = self._spark.sparkContext.broadcast(lines)
        return scanned.where(col("account").isNotNull())

    def fold(self, scanned: DataFrame) -> tuple[DataFrame, int]:
        """Fold what was scanned; returns rows of decisions and of counts, and steps back in time.

        The latter are of huge accounts alone, where nobody folds all of it.
        """
        from pyspark.sql.functions import col  # noqa: PLC0415
        from pyspark.sql.functions import sum as total  # noqa: PLC0415

        sizes = scanned.groupBy("account").agg(total("events").alias("events"))
        job, lines = self._job, self._lines
        found = sizes.where(col("events") > self._huge).collect()
        huge = [row["account"] for row in found if not job.value.is_undivided(row["account"])]
        small = self._by(scanned.where(~col("account").isin(huge)), "account")
        folded = small.mapInArrow(
            _in_arrow(lambda rows: fold_accounts(job.value, lines.value, rows), self._folded),
            self._folded,
        )
        if not huge:
            return folded, 0
        large, steps_back = self._fold_huge(scanned.where(col("account").isin(huge)))
        return folded.unionByName(large), steps_back

    def _fold_huge(self, scanned: DataFrame) -> tuple[DataFrame, int]:
        job, lines = self._job, self._lines
        shares = self._cores * _TASKS_A_CORE
        work = _in_arrow(lambda rows: deal_accounts(job.value, shares, rows), _DEALT)
        dealt = self._by(scanned.mapInArrow(work, _DEALT), "account", "share")
        found = dealt.mapInArrow(
            _in_arrow(lambda rows: find_all_repeats(job.value, rows), _TOLD), _TOLD
        )
        places: dict[tuple[int, int], set[int]] = {}
        for part, account, block in found.collect():
            places.setdefault((account, part), set()).update(_decode_places(block))
        repeats = self._spark.sparkContext.broadcast(places)
        said = scanned.mapInArrow(
            _in_arrow(lambda rows: tell_all(repeats.value, rows), _TOLD), _TOLD
        ).collect()
        by_part: dict[int, dict[int, bytes]] = {}
        for part, account, block in said:
            by_part.setdefault(account, {})[part] = bytes(block)
        told = self._spark.sparkContext.broadcast(by_part)
        folded = dealt.mapInArrow(
            _in_arrow(
                lambda rows: fold_shares(job.value, lines.value, told.value, rows), self._folded
            ),
            self._folded,
        )
        return folded, sum(map(_steps_back, by_part.values()))

    def _by(self, rows: DataFrame, *names: str) -> DataFrame:
        tasks = self._cores * _TASKS_A_CORE
        return rows.repartition(tasks, *names).sortWithinPartitions(*names, "part")


def _steps_back(told: Mapping[int, bytes]) -> int:
    clocks = Clocks()
    for part in sorted(told):
        carry(clocks, _decode_told(told[part]))
    return sum(clock.steps_back for clock in clocks.values())


def _type_of(column: str) -> str:
    if column == "line" or column.endswith("_id"):
        return "long"
    return "boolean" if column == "deliverable" else "string"


def find_pieces(places: Sequence[str], cores: int) -> list[TaskInput]:
    """Return what tasks are to read. Raises `UsageError` for what they would not find."""
    files = [file for place in places for file in _files_at(place)]
    shared = {file: os.stat(file).st_size for file in files if can_be_shared(file)}  # noqa: PTH116
    fair = sum(shared.values()) // (cores * _PARTS_A_CORE)
    size = min(max(fair, _SMALLEST_PART), _LARGEST_PART)
    pieces: list[TaskInput] = []
    for file in files:
        if file not in shared:
            pieces.append(TaskInput(file))
            continue
        begins = range(0, shared[file], size)
        pieces += (TaskInput(file, at, at + size, is_part=True) for at in begins)
        pieces[-1] = pieces[-1]._replace(end=None)
    return pieces


def _files_at(place: str) -> list[str]:
    return find_remote(place) if is_remote(place) else [place]


def check_places(*places: str | None) -> None:
    """Raise `UsageError` for a place that is another one on each machine."""
    for place in places:
        if place is not None and not (os.path.isabs(place) or "://" in place):  # noqa: PTH117
            raise UsageError(
                f"{place}: each machine of a cluster has a folder of its own to look in",
                f"write it from the root, or as a URI: {os.path.abspath(place)}",  # noqa: PTH100
            )


app = typer.Typer(rich_markup_mode=None, add_completion=False)
Places = Annotated[
    list[str],
    typer.Argument(metavar="PLACE...", help="Logs of events: absolute paths, or URIs."),
]
Out = Annotated[
    str,
    typer.Option(
        metavar="PLACE", help="The folder to write, an absolute path or a URI of Spark's."
    ),
]
Decisions = Annotated[bool, typer.Option("--decisions", help="Write every decision, as Parquet.")]
Huge = Annotated[
    int,
    typer.Option(
        parser=a_number("number of events"),
        metavar="EVENTS",
        help="Share accounts out by conversation that have more events than this.",
    ),
]


@app.command("spark", cls=command_class(SOME_USERS))
def spark(
    ctx: typer.Context,
    places: Places,
    *,
    out: Out,
    summary: Summary = False,
    decisions: Decisions = False,
    channel: ChannelOption = None,
    type_: TypeOption = None,
    inbox: InboxNames = None,
    conversation: ConversationOption = None,
    since: Since = None,
    until: Until = None,
    explain: Explain = False,
    settings: Settings = None,
    prefs: PrefsFile = None,
    rules: Rules = None,
    diff: Diff = False,
    huge: Huge = _HUGE,
) -> None:
    """Replay logs on a cluster, as `notifycli simulate` does on one machine: docs/cluster.md."""
    session, proposal = session_of(ctx), Proposal(tuple(settings or ()), prefs, rules)
    if summary == decisions:
        raise UsageError("nothing says what to write", "give --summary or --decisions")
    check_places(*places, out, prefs)
    asked = Asked(explain, summary, diff, False, None, None, None, 1, proposal)
    asked.check()
    selection = read_selection(channel, type_, conversation, since, until)
    run, inboxes = prepare(session, selection, asked, inbox, strict=False)
    with session.store() as store:
        fallback = session.fallback_account(store)
    record = ChangedDecision if diff else Decision
    columns = record.__struct_fields__ if decisions else ()
    cluster = start_spark()
    sides = [_known(side) for side in (run.replay, run.before) if side is not None]
    pieces = find_pieces(places, cluster.sparkContext.defaultParallelism)
    job = Job(pieces, sides, fallback, run.selection, columns, explain)
    replay_on(Cluster(cluster, job, huge), run, out)
    if summary:
        counts = run.replay.counts()
        records = counts.changed(run.changes) if diff else counts.by_user()
        _write_lines(cluster, records, out)
    raise typer.Exit(finish(session, run, Inputs(tuple(places), lambda: 0), asked, inboxes))


def _write_lines(cluster: SparkSession, records: Iterable[Struct], out: str) -> None:
    """Write records as JSON Lines, in one file."""
    lines = [(msgspec.json.encode(one).decode(),) for one in records]
    cluster.createDataFrame(lines, "value string").coalesce(1).write.text(out)


def _known(replay: Replay) -> Known:
    return {
        id_: (account.directory, account.preferences, account.profile)
        for id_, account in replay.accounts.items()
    }


def replay_on(cluster: Cluster, run: Run, out: str) -> None:
    """Replay on a cluster: decisions are written, and what was counted is added to the run's."""
    from pyspark import StorageLevel  # noqa: PLC0415 - as everything of Spark here
    from pyspark.sql.functions import col  # noqa: PLC0415

    folded, steps_back = cluster.fold(cluster.scan(run.bad))
    lists = len(folded.columns) > 1
    if lists:
        folded = folded.persist(StorageLevel.DISK_ONLY)
    run.replay.assumptions.times_back += steps_back
    for (block,) in folded.where(col("counted").isNotNull()).select("counted").collect():
        one: AccountCounts = pickle.loads(block)  # noqa: S301 - our own
        run.events += one.events
        run.changes.merge(one.changes)
        run.replay.counts().merge(one.counts)
        for account, conversation in one.conversations:
            run.replay.account(account).conversations.setdefault(conversation, Conversation())
    if lists:
        folded.where(col("counted").isNull()).drop("counted").write.parquet(out)


def start_spark() -> SparkSession:
    """Return the session that spark-submit describes. Raises `UnavailableError`."""
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - few have it
    except ImportError:
        raise UnavailableError(
            "PySpark isn't installed", "pip install 'notifycli[spark]'"
        ) from None
    return SparkSession.builder.appName("notifycli").getOrCreate()


def main() -> NoReturn:
    """Run as the script of spark-submit."""
    # The script's own folder comes first there, and what is in it would hide Python's `secrets`.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - as sys.path has it
    sys.path[:] = [folder for folder in sys.path if folder != here]
    sys.exit(run_program(sys.argv[1:], get_command(app)))


if __name__ == "__main__":
    # Tasks find functions by the module's name.
    importlib.import_module("notifycli.spark").main()
