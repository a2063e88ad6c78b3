"""A UDP datagram of a phone's own, by its shell: markers and STUN requests take the path of its calls."""

import shlex

from lab.phone.interfaces import Address

DATAGRAM_FILE = "/data/local/tmp/im-call-lab.datagram"


def datagram_command(text: str, address: Address | str, port: int, file: str = DATAGRAM_FILE) -> str:
    """The shell line that sends what `printf` makes of `text` as one UDP datagram, and prints what comes back in 1 s.

    Its exit code is 124. toybox' nc (0.8.9, measured) sends what one read gives it, and its printf writes byte by byte:
    hence the file. nc does not end with its input, `-w` or not, and once an ICMP error has come back it spins, `-q` or
    not: hence `timeout`.
    """
    nc = f"toybox timeout 1 toybox nc -u -w 1 {address} {port}"
    return f"printf {shlex.quote(text)} >{file} && {{ rm {file}; {nc}; }} <{file}"
