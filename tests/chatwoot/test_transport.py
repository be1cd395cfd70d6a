"""One request: time-outs, repeats, and where the token goes."""

from __future__ import annotations

import datetime as dt
import email.utils
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notifycli.chatwoot.http import Answer, RateLimits, Transport, base_url
from notifycli.errors import NotifycliError
from notifycli.secrets.token_format import Secret
from tests.chatwoot.recorded import ROOT, Asked, Chatwoot, Reply, serving

PATH = "/api/v1/profile"
QUICK = RateLimits(
    connect=60, read=60, whole=120, tries=3, pause=0.001, longest_pause=60, size=4000
)
"""It repeats quickly; what comes has all the time that a busy machine needs."""
# For what never comes.
NO_BYTE, NO_END = QUICK._replace(read=0.3), QUICK._replace(whole=0.8)


def asking(
    url: str, method: str = "GET", limits: RateLimits = QUICK
) -> tuple[Answer | NotifycliError, list[float]]:
    """Ask once; give the answer or the error, and the pauses that were made."""
    pauses: list[float] = []
    with Transport(url, Secret(ROOT), limits, pauses.append) as transport:
        try:
            return transport.ask(method, PATH), pauses
        except NotifycliError as error:
            return error, pauses


def first(times: int, reply: Reply) -> Callable[[Asked, Any], None]:
    """Give this reply to the first requests."""
    left = [reply] * times

    def before(_asked: Asked, _person: Any) -> None:
        if left:
            raise left.pop()

    return before


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://chat.example.com", "https://chat.example.com"),
        (" https://chat.example.com/ ", "https://chat.example.com"),
        ("https://chat.example.com:8443/desk/", "https://chat.example.com:8443/desk"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
    ],
)
def test_an_address_is_kept_without_its_last_slash(given: str, read: str) -> None:
    assert base_url(given) == read


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http://chat.example.com", "unencrypted"),
        ("http://localhost.example.com", "unencrypted"),
        ("http://127.0.0.1.example.com", "unencrypted"),
        ("https://me:secret@chat.example.com", "user name"),
        ("https://chat.example.com/?a=1", "no address of a Chatwoot"),
        ("https://chat.example.com/#x", "no address of a Chatwoot"),
        ("ftp://chat.example.com", "no address of a Chatwoot"),
        ("chat.example.com", "no address of a Chatwoot"),
        ("https://chat.example.com:99999", "no web address"),
        ("", "no address of a Chatwoot"),
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(given: str, said: str) -> None:
    with pytest.raises(NotifycliError, match=said) as caught:
        base_url(given)
    assert caught.value.status == 2
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT"])
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_is_busy_is_asked_again(chatwoot: Chatwoot, status: int, method: str) -> None:
    chatwoot.before = first(2, Reply(status))
    if method != "GET":
        chatwoot.answer = lambda asked: chatwoot.before(asked, None)  # type: ignore[method-assign]
    answer, pauses = asking(chatwoot.url, method)
    assert isinstance(answer, Answer)
    assert (answer.status, len(chatwoot.asked), len(pauses)) == (200, 3, 2)


@pytest.mark.parametrize(("status", "asked"), [(503, 1), (502, 1), (500, 1), (429, 3)], ids=str)
def test_a_request_that_may_have_done_its_work_is_not_repeated(
    chatwoot: Chatwoot, status: int, asked: int
) -> None:
    chatwoot.before = first(9, Reply(status))
    asking(chatwoot.url, "POST")
    assert len(chatwoot.asked) == asked


def test_retry_after_in_seconds_is_waited_for(chatwoot: Chatwoot) -> None:
    chatwoot.before = first(1, Reply(429, headers={"Retry-After": "17"}))
    answer, pauses = asking(chatwoot.url)
    assert isinstance(answer, Answer)
    assert (answer.status, pauses) == (200, [17.0])


def test_retry_after_as_a_date_is_waited_for(chatwoot: Chatwoot) -> None:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=50)
    header = email.utils.format_datetime(at, usegmt=True)
    chatwoot.before = first(1, Reply(503, headers={"Retry-After": header}))
    answer, (pause,) = asking(chatwoot.url)
    assert isinstance(answer, Answer)
    assert 5 < pause <= 50


@pytest.mark.parametrize("header", ["soon", "-1", "", "1e9"])
def test_a_retry_after_that_makes_no_sense_is_passed_over(chatwoot: Chatwoot, header: str) -> None:
    chatwoot.before = first(1, Reply(429, headers={"Retry-After": header}))
    answer, (pause,) = asking(chatwoot.url)
    assert isinstance(answer, Answer)
    assert pause < 1


def test_a_retry_after_that_is_too_long_is_told_and_not_waited_for(chatwoot: Chatwoot) -> None:
    chatwoot.before = first(9, Reply(429, headers={"Retry-After": "3600"}))
    error, pauses = asking(chatwoot.url)
    assert isinstance(error, NotifycliError)
    assert (error.status, pauses, len(chatwoot.asked)) == (75, [], 1)
    assert "3600 s" in error.message


def test_tries_are_bounded(chatwoot: Chatwoot) -> None:
    chatwoot.before = first(9, Reply(503))
    answer, pauses = asking(chatwoot.url)
    assert isinstance(answer, Answer)
    assert (answer.status, len(pauses), len(chatwoot.asked)) == (503, 2, 3)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_never_carries_the_token_to_another_host(
    chatwoot: Chatwoot, status: int
) -> None:
    elsewhere = Chatwoot()
    with serving(elsewhere):
        chatwoot.before = first(1, Reply(status, headers={"Location": f"{elsewhere.url}{PATH}"}))
        error, _ = asking(chatwoot.url)
    assert elsewhere.asked == []
    assert isinstance(error, NotifycliError)
    assert (error.status, len(chatwoot.asked)) == (69, 1)
    assert "sends on to http://127.0.0.1" in error.message


@contextmanager
def talking(*blocks: bytes | float) -> Iterator[str]:
    """Serve bytes, with pauses in between, to whoever connects."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                for block in blocks:
                    try:
                        if isinstance(block, float):
                            over.wait(block)
                        else:
                            connection.sendall(block)
                    except OSError:
                        break

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        # A thread that waits in accept() isn't woken by close().
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
# It says that it hangs up: a client that hadn't seen it yet would ask its next time there.
NO_GZIP = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
    b"Content-Length: 4\r\n\r\nnope"
)


@pytest.mark.parametrize(
    ("blocks", "limits", "said"),
    [
        pytest.param((5.0,), NO_BYTE, "doesn't answer within", id="silent"),
        pytest.param((HEAD, b"{", 5.0), NO_BYTE, "doesn't answer within", id="silent after a byte"),
        pytest.param((HEAD, *(b"1", 0.1) * 60), NO_END, "for an answer", id="dripping for ever"),
        pytest.param((HEAD, b'{"id":'), QUICK, "broke off its answer", id="a truncated body"),
        pytest.param(
            (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 9000,), QUICK, "more than 4000", id="too large"
        ),
        pytest.param((b"not HTTP at all\r\n\r\n",), QUICK, "can't be reached", id="no HTTP"),
        pytest.param((), QUICK, "can't be reached", id="hung up on"),
        pytest.param((NO_GZIP,), QUICK, "broke off", id="no gzip"),
    ],
)
def test_an_answer_that_does_not_come_as_a_whole_is_told(
    blocks: tuple[bytes | float, ...], limits: RateLimits, said: str
) -> None:
    with talking(*blocks) as url:
        error, _ = asking(url, limits=limits)
    assert isinstance(error, NotifycliError)
    assert error.status == 69
    assert said in error.message
    assert ROOT not in error.message + error.hint


def test_a_host_that_is_not_there_is_told() -> None:
    error, _ = asking("http://127.0.0.1:1")
    assert isinstance(error, NotifycliError)
    assert (error.status, error.message) == (69, "http://127.0.0.1:1 can't be reached")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    at = dt.datetime.now(dt.UTC)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(at - dt.timedelta(days=1))
        .not_valid_after(at + dt.timedelta(days=1))
        .add_extension(addresses, critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return paths


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path]) -> None:
    chatwoot = Chatwoot()
    with serving(chatwoot, certificate):
        error, _ = asking(chatwoot.url)
    assert isinstance(error, NotifycliError)
    assert (error.status, chatwoot.asked) == (69, [])
    assert "no certificate that this machine trusts" in error.message


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_of_ones_own_is_trusted(
    certificate: tuple[Path, Path], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(certificate[0]))
    chatwoot = Chatwoot()
    with serving(chatwoot, certificate):
        answer, _ = asking(chatwoot.url)
    assert isinstance(answer, Answer)
    assert answer.status == 200


def test_neither_netrc_nor_a_proxy_has_a_part_in_what_stays_on_this_machine(
    chatwoot: Chatwoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n", encoding="ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    answer, _ = asking(chatwoot.url)
    assert isinstance(answer, Answer)
    (asked,) = chatwoot.asked
    assert "authorization" not in asked.headers
    assert asked.headers["api_access_token"] == ROOT
