"""Which mail server is used, and how it is talked to."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address

from msgspec import Struct

from notifycli.errors import ConfigurationError
from notifycli.secrets.token_format import Secret

SECONDS = 30.0
"""How long a server may take to answer; longer than any that is well takes."""


class Security(StrEnum):
    """How a connection is kept from others' eyes."""

    STARTTLS = "starttls"
    """Asked for on a plain connection (RFC 3207)."""
    TLS = "tls"
    """From the first byte on (RFC 8314)."""
    PLAIN = "plain"
    """Not at all: within one machine."""


PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.PLAIN: 25}


class MailServer(Struct, frozen=True):
    """Which mail server, and how it is talked to."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: Secret | None = None
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        """Refuse what would send mails and passwords in the clear over a network."""
        if self.security is Security.PLAIN and not _is_loopback(self.host):
            raise ConfigurationError(
                f"smtp.security is plain, and {self.host} is another machine",
                "plain is for this machine alone: notifycli config set smtp.security=starttls",
            )
        if self.username is not None and self.password is None:
            raise ConfigurationError(
                "smtp.username is set, and there is no password",
                "notifycli config set smtp.password; or, if none is needed: "
                "notifycli config unset smtp.username",
            )

    @property
    def name(self) -> str:
        """How it is named to people."""
        return f"{self.host}:{self.port}"


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
