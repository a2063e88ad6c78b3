"""What coturn's log says of a user, and what coturn is told (coturn 4.6.1, Debian 12)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from ipaddress import ip_address
from pathlib import Path

from lab.virtual.rig.coturn import Coturn, Relayed, configuration, relayed
from lab.virtual.rig.layout import Host

LOG = """\
13: : session 000000000000000001: realm <rig.example> user <>: incoming packet message processed, error 401: Unauthorized
13: : session 000000000000000001: new, realm=<rig.example>, username=<1795917341:smoke-1.0.callee>, lifetime=600
13: : session 000000000000000001: realm <rig.example> user <1795917341:smoke-1.0.callee>: incoming packet ALLOCATE processed, success
13: : session 000000000000000001: peer 198.51.100.9 lifetime updated: 300
36: : session 000000000000000001: usage: realm=<rig.example>, username=<1795917341:smoke-1.0.callee>, rp=1089, rb=120696, sp=967, sb=105629
36: : session 000000000000000001: peer usage: realm=<rig.example>, username=<1795917341:smoke-1.0.callee>, rp=959, rb=100829, sp=1081, sb=111863
37: : session 001000000000000002: new, realm=<rig.example>, username=<1795917341:smoke-1.0.caller>, lifetime=600, cipher=ECDHE-RSA-AES256-GCM-SHA384, method=TLSv1.2
41: : session 000000000000000001: refreshed, realm=<rig.example>, username=<1795917341:smoke-1.0.callee>, lifetime=0
42: : session 000000000000000001: usage: realm=<rig.example>, username=<1795917341:smoke-1.0.callee>, rp=310, rb=33695, sp=309, sb=33065
42: : session 000000000000000001: peer usage: realm=<rig.example>, username=<1795917341:smoke-1.0.callee>, rp=308, rb=31749, sp=309, sb=32303
42: : session 000000000000000001: closed (2nd stage), user <1795917341:smoke-1.0.callee> realm <rig.example> origin <>, local 192.0.2.51:3480, remote 203.0.113.1:45584, reason: allocation timeout
42: : session 000000000000000001: delete: realm=<rig.example>, username=<1795917341:smoke-1.0.callee>
42: : session 000000000000000001: peer 198.51.100.9 deleted
"""  # noqa: E501
HOST = Host((ip_address("31.13.87.50"), ip_address("2001:db8::50")), (443, 3478))


def test_what_a_user_was_given_is_summed_over_the_parts_of_its_usage():
    where = (ip_address("192.0.2.51"), 3480)
    assert relayed(LOG, "smoke-1.0.callee") == Relayed(1, (where,), from_peers=959 + 308, to_peers=1081 + 309)


def test_an_allocation_that_is_still_open_is_not_told_where_it_is():
    assert relayed(LOG, "smoke-1.0.caller") == Relayed(1, (), from_peers=0, to_peers=0)


def test_nothing_of_another_user_counts():
    assert relayed(LOG, "smoke-1.0") == relayed(LOG, "smoke-1.1.callee") == Relayed(0, (), 0, 0)


def test_a_host_relays_from_its_own_addresses_and_listens_on_all_its_ports():
    lines = configuration(HOST, "secret", Path("/root/turnserver-0.log")).splitlines()
    assert [line for line in lines if "31.13.87.50" in line] == [
        "listening-ip=31.13.87.50",
        "relay-ip=31.13.87.50",
        "aux-server=31.13.87.50:3478",
    ]
    assert "aux-server=[2001:db8::50]:3478" in lines
    assert {"listening-port=443", "static-auth-secret=secret", "cert=/root/turnserver.crt"} <= set(lines)


def test_a_credential_is_good_for_a_day_and_names_its_user(tmp_path):
    server = Coturn([HOST], tmp_path, lambda space, *argv: list(argv))
    given = server.credential("smoke-1.0.caller", 1_795_830_941_000_000_000)
    assert given["username"] == "1795917341:smoke-1.0.caller"
    digest = hmac.new(server._secret.encode(), given["username"].encode(), hashlib.sha1).digest()
    assert base64.b64decode(given["credential"]) == digest
