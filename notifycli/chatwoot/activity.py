"""What Chatwoot wrote into a conversation when it changed: prose, in the account's language.

`Assigned to Jane by Omar` is all that Chatwoot keeps of an assignment. The sentences are those of
its translations (`config/locales`, `conversations.activity`). A name in them is looked for among
the account's users and teams; one that two of them have, or none, is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from notifycli.rules.directory import Team, User


class Act(StrEnum):
    """What a sentence says has changed."""

    SELF_ASSIGNED = "self_assigned"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    TEAM_ASSIGNED = "team_assigned"
    ASSIGNED_VIA_TEAM = "assigned_via_team"
    TEAM_REMOVED = "team_removed"
    RESOLVED = "resolved"
    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"


class Activity(NamedTuple):
    """A sentence, as far as its names could be resolved."""

    change: Act
    name: str = ""
    """The name of whom it was assigned to."""
    assignee: int | None = None
    team: int | None = None
    actor: int | None = None
    """The user who did it; `None` for a rule or a policy, and where the name isn't known."""
    unresolved: str | None = None
    """The name of the assignee or the team, where it is nobody's or more than one's."""

    @property
    def knows(self) -> tuple[bool, bool, int]:
        """How much of the sentence is known."""
        return self.unresolved is None, self.actor is not None, len(self.name)


SENTENCES: Mapping[str, Mapping[Act, tuple[str, ...]]] = {
    "en": {
        Act.SELF_ASSIGNED: ("{actor} self-assigned this conversation",),
        Act.ASSIGNED_VIA_TEAM: ("Assigned to {assignee} via {team} by {actor}",),
        Act.ASSIGNED: ("Assigned to {assignee} by {actor}",),
        Act.UNASSIGNED: ("Conversation unassigned by {actor}",),
        Act.TEAM_ASSIGNED: ("Assigned to {team} by {actor}",),
        Act.TEAM_REMOVED: ("Unassigned from {team} by {actor}",),
        Act.RESOLVED: (
            "Conversation was marked resolved by {actor}",
            "Conversation was resolved by {actor}",
            "Conversation was marked resolved by system due to {actor} of inactivity",
        ),
        Act.OPEN: (
            "Conversation was reopened by {actor}",
            "Conversation was marked open by {actor}",
            "Conversation was marked open automatically after an agent reply",
            "System reopened the conversation due to a new incoming message.",
        ),
        Act.PENDING: ("Conversation was marked as pending by {actor}",),
        Act.SNOOZED: ("Conversation was snoozed by {actor}",),
    },
    "de": {
        Act.SELF_ASSIGNED: ("{actor} hat sich dieses Gespräch selbst zugewiesen",),
        Act.ASSIGNED_VIA_TEAM: ("Zugewiesen an {assignee} über {team} von {actor}",),
        # The translation has the two the other way round.
        Act.ASSIGNED: ("{actor} von {assignee} zugewiesen",),
        Act.UNASSIGNED: ("Gespräch nicht zugewiesen von {actor}",),
        Act.TEAM_ASSIGNED: ("Zugewiesen an {team} von {actor}",),
        Act.TEAM_REMOVED: ("Entfernt aus {team} von {actor}",),
        Act.RESOLVED: (
            "Das Gespräch wurde von {actor} gelöst",
            "Konversation wurde von {actor} gelöst",
            "Das Gespräch wurde vom System aufgrund von {actor} Inaktivität gelöst",
        ),
        Act.OPEN: (
            "Das Gespräch wurde von {actor} wieder eröffnet",
            (
                "Das System hat die Unterhaltung aufgrund einer neuen eingehenden Nachricht "
                "wieder geöffnet."
            ),
        ),
        Act.PENDING: ("Das Gespräch wurde von {actor} als ausstehend markiert",),
        Act.SNOOZED: ("Das Gespräch wurde von {actor} zur Erinnerung markiert",),
    },
    "es": {
        Act.SELF_ASSIGNED: ("{actor} auto-asignado a esta conversación",),
        Act.ASSIGNED_VIA_TEAM: ("Asignado a {assignee} via {team} por {actor}",),
        Act.ASSIGNED: ("Asignado a {assignee} por {actor}",),
        Act.UNASSIGNED: ("Conversación no asignada por {actor}",),
        Act.TEAM_ASSIGNED: ("Asignado a {team} por {actor}",),
        Act.TEAM_REMOVED: ("Desasignado de {team} por {actor}",),
        Act.RESOLVED: (
            "La conversación fue marcada por {actor}",
            "Conversación fue resuelta por {actor}",
        ),
        Act.OPEN: (
            "La conversación fue reabierta por {actor}",
            "El sistema reabrió la conversación debido a un nuevo mensaje entrante.",
        ),
        Act.PENDING: ("La conversación fue marcada como pendiente por {actor}",),
        Act.SNOOZED: ("La conversación fue pospuesta por {actor}",),
    },
    "pt_BR": {
        Act.SELF_ASSIGNED: ("{actor} atribuiu a si mesmo essa conversa",),
        Act.ASSIGNED_VIA_TEAM: ("Atribuído a {assignee} via {team} por {actor}",),
        Act.ASSIGNED: ("Atribuído a {assignee} por {actor}",),
        Act.UNASSIGNED: ("Conversa desatribuída por {actor}",),
        Act.TEAM_ASSIGNED: ("Atribuído a {team} por {actor}",),
        Act.TEAM_REMOVED: ("Desatribuído de {team} por {actor}",),
        Act.RESOLVED: (
            "Conversa foi marcada como resolvida por {actor}",
            "A conversa foi resolvida por {actor}",
        ),
        Act.OPEN: (
            "Conversa foi reaberta por {actor}",
            "A conversa foi aberta por {actor}",
            "O sistema reabriu a conversa devido a uma nova mensagem recebida.",
        ),
        Act.PENDING: ("Conversa foi marcada como pendente por {actor}",),
        Act.SNOOZED: ("Conversa foi adiada por {actor}",),
    },
    "fr": {
        Act.SELF_ASSIGNED: ("{actor} s'est auto-assigné cette conversation",),
        Act.ASSIGNED_VIA_TEAM: ("Assigné à {assignee} via {team} par {actor}",),
        Act.ASSIGNED: ("Assigné à {assignee} par {actor}",),
        Act.UNASSIGNED: ("Responsable de la conversation supprimé par {actor}",),
        Act.TEAM_ASSIGNED: ("Assigné à {team} par {actor}",),
        Act.TEAM_REMOVED: ("Non assigné de {team} par {actor}",),
        Act.RESOLVED: (
            "La conversation a été marquée résolue par {actor}",
            "La conversation a été résolue par {actor}",
        ),
        Act.OPEN: ("La conversation a été ré-ouverte par {actor}",),
        Act.PENDING: ("La conversation a été marquée comme en attente par {actor}",),
        Act.SNOOZED: ("La conversation a été reportée par {actor}",),
    },
    "it": {
        Act.SELF_ASSIGNED: ("{actor} si è assegnato a questa conversazione",),
        Act.ASSIGNED_VIA_TEAM: ("Assegnata a {assignee} via {team} da {actor}",),
        Act.ASSIGNED: ("Assegnato a {assignee} da {actor}",),
        Act.UNASSIGNED: ("Conversazione disassegnata da {actor}",),
        Act.TEAM_ASSIGNED: ("Assegnata a {team} da {actor}",),
        Act.TEAM_REMOVED: ("Assegnazione a {team} rimossa da {actor}",),
        Act.RESOLVED: (
            "La conversazione è stata contrassegnata come risolta da {actor}",
            "La conversazione è stata risolta da {actor}",
        ),
        Act.OPEN: (
            "La conversazione è stata riaperta da {actor}",
            "Il sistema ha riaperto la conversazione a causa di un nuovo messaggio in arrivo.",
        ),
        Act.PENDING: ("La conversazione è stata contrassegnata come in attesa da {actor}",),
        Act.SNOOZED: ("La conversazione è stata posticipata da {actor}",),
    },
    "pl": {
        Act.SELF_ASSIGNED: ("{actor} przypisał się do tej rozmowy",),
        Act.ASSIGNED_VIA_TEAM: ("Przypisano do {assignee} przez {team} przez {actor}",),
        Act.ASSIGNED: ("Przypisane do {assignee} przez {actor}",),
        Act.UNASSIGNED: ("Rozmowa nieprzypisana przez {actor}",),
        Act.TEAM_ASSIGNED: ("Przydzielone do {team} przez {actor}",),
        Act.TEAM_REMOVED: ("Usunięto przydzielenie do {team} przez {actor}",),
        Act.RESOLVED: ("Rozmowa została rozwiązana przez {actor}",),
        Act.OPEN: (
            "Rozmowa została ponownie otwarta przez {actor}",
            "System otworzył ponownie rozmowę z powodu nowej wiadomości przychodzącej.",
        ),
        Act.PENDING: ("Rozmowa została oznaczona jako oczekująca przez {actor}",),
        Act.SNOOZED: ("Rozmowa została uśpiona przez {actor}",),
    },
    "ru": {
        Act.SELF_ASSIGNED: ("{actor} назначил(а) разговор себе",),
        Act.ASSIGNED_VIA_TEAM: ("{actor} назначил {assignee} в {team}",),
        Act.ASSIGNED: ("{actor} назначил {assignee} ответственным",),
        Act.UNASSIGNED: ("Ответственный снят {actor}",),
        Act.TEAM_ASSIGNED: ("{actor} назначил {team} ответственным",),
        Act.TEAM_REMOVED: ("{actor} исключил из {team}",),
        Act.RESOLVED: ("{actor} завершил диалог", "Разговор был закрыт {actor}"),
        Act.OPEN: (
            "{actor} открыл заново диалог",
            "Система переоткрыла разговор из-за нового входящего сообщения.",
        ),
        Act.PENDING: ("Разговор был помечен как ожидающий {actor}",),
        Act.SNOOZED: ("Разговор был помечен как отложенный {actor}",),
    },
    "zh_CN": {
        Act.SELF_ASSIGNED: ("{actor} 自行分配这次会话",),
        Act.ASSIGNED_VIA_TEAM: ("由 {assignee} 分配给 {team} 团队的 {actor}",),
        Act.ASSIGNED: ("由 {assignee} 分配给 {actor}",),
        Act.UNASSIGNED: ("对话未被 {actor} 分配",),
        Act.TEAM_ASSIGNED: ("由 {team} 分配给 {actor}",),
        Act.TEAM_REMOVED: ("由 {actor} 从 {team} 中取消分配",),
        Act.RESOLVED: ("对话被标记由 {actor} 解决",),
        Act.OPEN: ("对话被 {actor} 重新打开",),
        Act.PENDING: ("对话被标记由 {actor} 待处理",),
        Act.SNOOZED: ("对话被 {actor} 暂停",),
    },
    "ja": {
        Act.SELF_ASSIGNED: ("{actor} がこの会話を自身に割り当てました",),
        Act.ASSIGNED_VIA_TEAM: ("{actor} によって {team} 経由で {assignee} に割り当てられました",),
        Act.ASSIGNED: ("{actor} によって {assignee} に割り当てられました",),
        Act.UNASSIGNED: ("{actor} によって割り当てが解除されました",),
        Act.TEAM_ASSIGNED: ("{actor} によって {team} に割り当てられました",),
        Act.TEAM_REMOVED: ("{actor} によって {team} から割り当てが解除されました",),
        Act.RESOLVED: (
            "{actor} によって会話は解決済みになりました",
            "{actor} によって会話が解決されました",
            "{actor} 日間会話が非アクティブだったため、システムにより解決済みにされました",
        ),
        Act.OPEN: (
            "{actor} によって会話が再開されました",
            "新しい受信メッセージを受信したため、システムが会話が再開されました",
        ),
        Act.PENDING: ("{actor} によって会話が保留にされました",),
        Act.SNOOZED: ("{actor} によって会話がスヌーズされました",),
    },
    "id": {
        Act.SELF_ASSIGNED: ("{actor} menetapkan sendiri percakapan ini",),
        Act.ASSIGNED_VIA_TEAM: ("Ditugaskan ke {assignee} melalui {team} oleh {actor}",),
        Act.ASSIGNED: ("Ditugaskan ke {assignee} oleh {actor}",),
        Act.UNASSIGNED: ("Percakapan batal ditetapkan oleh {actor}",),
        Act.TEAM_ASSIGNED: ("Ditugaskan ke {team} oleh {actor}",),
        Act.TEAM_REMOVED: ("Dibebastugaskan dari {team} oleh {actor}",),
        Act.RESOLVED: (
            "Percakapan ditandai selesai oleh {actor}",
            "Percakapan diselesaikan oleh {actor}",
            "Percakapan ditandai terselesaikan oleh {actor}",
        ),
        Act.OPEN: (
            "Percakapan telah dibuka kembali oleh {actor}",
            "Sistem membuka kembali percakapan karena pesan masuk baru.",
        ),
        Act.PENDING: ("Percakapan telah ditandai sebagai tertunda oleh {actor}",),
        Act.SNOOZED: ("Percakapan telah ditunda oleh {actor}",),
    },
    "vi": {
        Act.SELF_ASSIGNED: ("{actor} phân công chính mình vào hội thoại này",),
        Act.ASSIGNED_VIA_TEAM: ("Phân công cho {assignee} thông qua {team} bởi {actor}",),
        Act.ASSIGNED: ("Chỉ định {assignee} bởi {actor}",),
        Act.UNASSIGNED: ("Cuộc hội thoại chưa được chỉ định bởi {actor}",),
        Act.TEAM_ASSIGNED: ("Chỉ định {team} bởi {actor}",),
        Act.TEAM_REMOVED: ("Huỷ phân công cho {team} bởi {actor}",),
        Act.RESOLVED: (
            "Cuộc trò chuyện được đánh dấu là đã giải quyết bởi {actor}",
            "Hội thoại đã được giải quyết bởi {actor}",
            "Hội thoại được đánh dấu là đã giải quyết bởi {actor}",
        ),
        Act.OPEN: ("Cuộc trò chuyện đã được mở lại bởi {actor}",),
        Act.PENDING: ("Hội thoại được đánh dấu là chưa giải quyết bởi {actor}",),
        Act.SNOOZED: ("Hội thoại đã được tạm dừng lại bởi {actor}",),
    },
    "ar": {
        Act.SELF_ASSIGNED: ("{actor} تم تعيينه تلقائياً لهذه المحادثة",),
        Act.ASSIGNED_VIA_TEAM: ("تم تعيينه إلى {assignee} عبر {team} بواسطة {actor}",),
        Act.ASSIGNED: ("تم إسنادها إلى {assignee} بواسطة {actor}",),
        Act.UNASSIGNED: ("المحادثة غير مسندة بواسطة {actor}",),
        Act.TEAM_ASSIGNED: ("تم إسنادها إلى {team} بواسطة {actor}",),
        Act.TEAM_REMOVED: ("إلغاء التعيين من {team} بواسطة {actor}",),
        Act.RESOLVED: (
            'تم تحديث حالة المحادثة لـ"مغلقة" بواسطة {actor}',
            "تم حل المحادثة بواسطة {actor}",
            "تم تحديد هذه المحادثة كمحلولة بواسطة {actor}",
            "تم وضع علامة على المحادثة كمحلولة من قبل النظام بسبب {actor} من عدم النشاط",
        ),
        Act.OPEN: (
            "تم إعادة فتح المحادثة بواسطة {actor}",
            "تم تحديد هذه المحادثة كمفتوحة بواسطة {actor}",
            "أعاد النظام فتح المحادثة بسبب رسالة واردة جديدة.",
        ),
        Act.PENDING: ('تم تحديث حالة المحادثة لـ"معلقة" بواسطة {actor}',),
        Act.SNOOZED: ("تم تأجيل المحادثة بواسطة {actor}",),
    },
}
"""By language, as Chatwoot names it. What only labels, mutes or sets a priority isn't here."""


class Names:
    """The users and teams of an account by the names that sentences use."""

    def __init__(self, users: Iterable[User], teams: Iterable[Team]) -> None:
        self._users = _by_name(users)
        self._teams = _by_name(teams)

    def read(self, text: str) -> Activity | None:
        """Return what a sentence says; `None` for one that changes nothing which matters here.

        A name may hold the words between names: of the readings that know most of their names, the
        one with the longest is taken. Two that know equally much, a user and a team of one name,
        are not told apart.
        """
        readings = (self._resolve(change, names) for change, names in _readings(text.strip()))
        found = dict.fromkeys(readings)
        if not found:
            return None
        best, *others = sorted(found, key=lambda reading: reading.knows, reverse=True)
        if others and others[0].knows == best.knows and best.unresolved is None:
            return best._replace(assignee=None, team=None, unresolved=best.name)
        return best

    def _resolve(self, change: Act, names: Mapping[str, str]) -> Activity:
        actor = self._users.get(names.get("actor", ""))
        assignee = self._users.get(names.get("assignee", ""))
        team = self._teams.get(names.get("team", ""))
        if change is Act.SELF_ASSIGNED:
            assignee, names = actor, {"assignee": names["actor"]}
        known = {"assignee": assignee, "team": team}
        missing = [name for field, name in names.items() if field in known and not known[field]]
        name = names.get("assignee") or names.get("team") or ""
        return Activity(change, name, assignee, team, actor, missing[0] if missing else None)


def _by_name(items: Iterable[User] | Iterable[Team]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for item in items:
        found[item.name] = None if item.name in found else item.id
    return found


def _readings(text: str) -> Iterator[tuple[Act, dict[str, str]]]:
    for sentences in SENTENCES.values():
        for change, patterns in sentences.items():
            for pattern in patterns:
                for names in _matches(pattern, text):
                    yield change, names


def _matches(pattern: str, text: str) -> Iterator[dict[str, str]]:
    """Give each way in which a text can be the pattern: a name may hold the words between them."""
    literal, brace, rest = pattern.partition("{")
    if not text.startswith(literal):
        return
    text = text[len(literal) :]
    if not brace:
        if not text:
            yield {}
        return
    field, _, rest = rest.partition("}")
    following = rest.partition("{")[0]
    at = text.find(following, 1) if following else len(text)
    while at > 0:
        for names in _matches(rest, text[at:]):
            yield {field: text[:at], **names}
        at = text.find(following, at + 1) if following else -1
