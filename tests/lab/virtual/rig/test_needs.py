from __future__ import annotations

from pathlib import Path

import pytest

from lab.virtual.rig.needs import PACKAGES, Need, lacking, on_path

TEXT = "Name:\tpython\nUid:\t{user}\t{user}\t{user}\t{user}\nCapPrm:\t000001ffffffffff\nCapEff:\t{held}\n"
"""As in /proc/self/status (Linux 6.1)."""


def status(folder: Path, user: int = 0, held: str = "000001ffffffffff") -> Path:
    path = folder / "status"
    path.write_text(TEXT.format(user=user, held=held))
    return path


@pytest.fixture
def tun(tmp_path: Path) -> Path:
    path = tmp_path / "tun"
    path.touch()
    return path


def there(program: str) -> str | None:
    return f"/usr/bin/{program}"


def test_a_machine_with_everything_lacks_nothing(tmp_path, tun):
    assert lacking(there, status(tmp_path), tun) == []


def test_all_programs_that_are_missing_are_one_need_with_one_line_for_apt(tmp_path, tun):
    gone = {"turnserver", "nft", "nsenter", "setpriv", "dumpcap"}
    (need,) = lacking(lambda program: None if program in gone else there(program), status(tmp_path), tun)
    assert need.what == "no nft, turnserver, dumpcap, nsenter, setpriv"
    assert need.fix == "apt-get install --no-install-recommends coturn nftables util-linux wireshark-common"


def test_each_lack_is_a_need_of_its_own(tmp_path):
    needs = lacking(lambda program: None, status(tmp_path, user=1000, held="0" * 16), tmp_path / "tun")
    assert [need.what for need in needs] == [
        "not root: no network namespaces can be made",
        f"no {tmp_path}/tun",
        f"no {', '.join(PACKAGES)}",
    ]


def test_root_of_a_container_may_lack_a_capability(tmp_path, tun):
    # What Docker leaves to root: neither CAP_NET_ADMIN (bit 12) nor CAP_SYS_ADMIN (bit 21).
    (need,) = lacking(there, status(tmp_path, held="00000000a80425fb"), tun)
    assert need.what == "no CAP_NET_ADMIN and CAP_SYS_ADMIN: no network namespaces can be made"
    (need,) = lacking(there, status(tmp_path, held="00000000a80435fb"), tun)
    assert need.what == "no CAP_SYS_ADMIN: no network namespaces can be made"


def test_a_tun_that_cannot_be_opened_is_a_need(tmp_path):
    (need,) = lacking(there, status(tmp_path), tmp_path)
    assert need == Need(
        f"{tmp_path} cannot be opened: Is a directory", "run as root, and let the container use this device"
    )


def test_another_system_than_linux_is_a_need(tmp_path, tun):
    assert lacking(there, tmp_path / "none", tun) == [
        Need("not Linux: no network namespaces", "run it on a machine with Linux")
    ]


def test_programs_of_the_system_count_whatever_path_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for place in ("/usr/sbin", "/sbin"):
        for program in Path(place).glob("*"):
            if program.is_file():
                assert on_path(program.name) is not None
                break
    assert on_path("no-such-program") is None
