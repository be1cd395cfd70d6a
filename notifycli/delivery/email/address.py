"""Addresses of e-mail as a mail server takes them: ASCII where that is possible at all."""

from __future__ import annotations

import re
from typing import NamedTuple

from notifycli.documents.directory_document import address_fault

_LOCAL = re.compile(r"(?!.*=\?)[\w!#$%&'*+/=?^`{|}~-][\w!#$%&'*+/=?^`{|}~.-]*")
_DOMAIN = re.compile(
    r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE
)
_LITERAL = re.compile(r"\[[0-9a-z:.]+\]", re.IGNORECASE)
_NAMED = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<address>[^<>]+)>\s*")
_LONGEST_LOCAL = 64
_LONGEST = 254
"""Both in octets (RFC 5321, 4.5.3.1; erratum 1690 of RFC 3696)."""


class AddressError(ValueError):
    """It is no address to which, or from which, a mail could go; the message says why."""


class Mailbox(NamedTuple):
    """An address with the name of who has it."""

    name: str
    local: str
    domain: str
    """In ASCII (A-labels, RFC 5890): every server takes those."""

    @property
    def address(self) -> str:
        """The address alone, as the envelope has it."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 takes it (RFC 6531)."""
        return not self.local.isascii()


def mailbox(address: str, name: str = "") -> Mailbox:
    """Read an address such as `jane@bücher.example`. Raises `AddressError`.

    What would have to be quoted (RFC 5321's Quoted-string) is refused: no desk gives such
    addresses to its agents, and quoting is how more than one address is smuggled into a header.
    """
    if fault := address_fault(address):
        raise AddressError(fault)
    local, _, domain = address.rpartition("@")
    domain = ascii_domain(domain)
    if len(local.encode()) > _LONGEST_LOCAL or len(f"{local}@{domain}".encode()) > _LONGEST:
        raise AddressError(f"{address!r} is longer than an e-mail address can be")
    if not (_LOCAL.fullmatch(local) and (_DOMAIN.fullmatch(domain) or _LITERAL.fullmatch(domain))):
        raise AddressError(f"{address!r} is no e-mail address")
    return Mailbox(name, local, domain)


def sender(text: str) -> Mailbox:
    """Read `desk@acme.example` or `Acme Support <desk@acme.example>`. Raises `AddressError`."""
    named = _NAMED.fullmatch(text)
    if not named:
        return mailbox(text.strip())
    return mailbox(named["address"].strip(), named["name"].strip('"'))


def ascii_domain(domain: str) -> str:
    """Give a domain as the DNS has it (A-labels). Raises `AddressError`."""
    if domain.isascii():
        return domain
    import idna  # noqa: PLC0415 - only what isn't ASCII needs its tables

    try:
        # UTS 46 maps what people type, capitals for one, to what IDNA 2008 takes (RFC 5895).
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise AddressError(f"{domain!r} can't be the name of a domain: {error}") from None
