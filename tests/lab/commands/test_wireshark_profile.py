from __future__ import annotations

from lab.commands import wireshark_profile


def test_a_profile_is_three_files_of_its_own(tmp_path):
    wireshark_profile.write(tmp_path)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    folder = "wireshark/profiles/im-call-lab"
    assert files == [f"{folder}/colorfilters", f"{folder}/dfilters", f"{folder}/preferences"]


def test_a_profile_asks_nobody_for_names():
    lines = wireshark_profile.preferences().splitlines()
    assert lines[0].startswith('gui.column.format: "No.", "%m", "Time", "%t", "End", "%Cus:frame.interface_name:0:R", ')
    assert "nameres.use_external_name_resolver: FALSE" in lines
    assert "nameres.dns_pkt_addr_resolution: FALSE" in lines
    assert "nameres.network_name: TRUE" in lines


def test_what_exposes_an_address_is_coloured_before_all_else():
    first, *_ = wireshark_profile.color_filters().splitlines()
    assert first == '@exposes an address@frame.comment contains "exposes"@[65535,53970,46003][7453,7453,6939]'
    assert wireshark_profile.display_filters().splitlines()[0] == (
        '"exposes an address" frame.comment contains "exposes"'
    )
