"""Other apps' TLS connections on a phone, in a pause that nobody ends."""

import random
from ipaddress import IPv4Address
from types import SimpleNamespace

from lab.virtual.network import tlsclients
from lab.virtual.network.tlsclients import BackgroundTls


def test_their_ports_are_given_out_over_and_over_and_none_again_soon(monkeypatch):
    begun, ports = [], []

    class Stream:
        def __init__(self, _datapath, _access, _phone, _remote, socket, _meaning):
            ports.append(socket.port)

        def open(self):
            pass

        def swap(self, _request, _response):
            pass

        close = open

    monkeypatch.setattr(tlsclients, "TcpStream", Stream)
    world = SimpleNamespace(chance=random.Random, in_background=lambda _ns, action: begun.append(action))
    access = SimpleNamespace(ipv6=None, local=lambda _address: IPv4Address("192.0.2.7"))
    BackgroundTls(SimpleNamespace(world=world, accesses={"phone": access}), "phone").start()
    while len(ports) < 10_000:
        begun.pop()()
    assert (min(ports) >= 52_000, max(ports) < 65_000, len(set(ports)) < len(ports)) == (True, True, True)
    assert all(len(set(ports[at : at + 1500])) == 1500 for at in range(0, 8_500, 250))
