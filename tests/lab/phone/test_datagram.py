"""The shell line that sends one datagram; what the phone's own commands make of it: tests/integrity."""

from ipaddress import IPv6Address

from lab.phone.datagram import datagram_command


def test_a_datagram_is_one_quoted_line() -> None:
    assert datagram_command("it's $HOME", IPv6Address("2001:db8::9"), 9, "/data/d") == (
        "printf 'it'\"'\"'s $HOME' >/data/d && "
        "{ rm /data/d; toybox timeout 1 toybox nc -u -w 1 2001:db8::9 9; } </data/d"
    )


def test_it_passes_through_a_file_of_the_labs_own() -> None:
    file = "/data/local/tmp/im-call-lab.datagram"
    assert datagram_command("a", "192.0.2.1", 9).startswith(f"printf a >{file} && {{ rm {file}; toybox timeout 1 ")
