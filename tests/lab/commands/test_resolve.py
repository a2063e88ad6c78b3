"""Names of servers, asked of a resolver that may say anything."""

import socket
import threading

import dns.message
import dns.rcode
import dns.rrset
import pytest

from lab.clocks import deadlines
from lab.commands import resolve


@pytest.fixture
def resolver():
    """A resolver on a loopback port that answers with `answers`: a name, a code, or nothing."""
    answers: dict[str, object] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                data, peer = sock.recvfrom(2000)
                if not data:
                    return
                question = dns.message.from_wire(data)
                name = str(question.question[0].name)
                wanted = answers.get(name)
                reply = dns.message.make_response(question)
                if wanted is None:
                    continue
                if isinstance(wanted, str):
                    reply.answer.append(dns.rrset.from_text(name, 60, "IN", "PTR", wanted))
                else:
                    reply.set_rcode(wanted)
                sock.sendto(reply.to_wire(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield sock.getsockname(), answers
        sock.sendto(b"", sock.getsockname())
        thread.join(5)


def test_a_name_is_told_without_its_last_dot_in_small_letters(resolver):
    address, answers = resolver
    answers["5.113.0.203.in-addr.arpa."] = "Edge-1.Example.ORG."
    assert resolve.look_up("203.0.113.5", address) == {"name": "edge-1.example.org", "how": "PTR"}


@pytest.mark.parametrize("hostile", [r"a\027[31m.example.", r"\060script\062.example.", r"a\032b.example."])
def test_a_name_that_is_no_host_name_is_not_kept(resolver, hostile):
    address, answers = resolver
    answers["5.113.0.203.in-addr.arpa."] = hostile
    assert resolve.look_up("203.0.113.5", address) == {"name": None, "how": "PTR: NOERROR"}


def test_an_address_without_a_name_says_how_that_is_known(resolver):
    address, answers = resolver
    answers["5.113.0.203.in-addr.arpa."] = dns.rcode.NXDOMAIN
    assert resolve.look_up("203.0.113.5", address) == {"name": None, "how": "PTR: NXDOMAIN"}


def test_a_silent_resolver_is_asked_three_times_and_no_longer(resolver):
    address, _ = resolver
    says = pytest.raises(TimeoutError, match=f"127.0.0.1 port {address[1]} does not answer")
    with deadlines.scaled(0.05 / deadlines.NAME_ANSWER.seconds), says:
        resolve.look_up("203.0.113.5", address)
