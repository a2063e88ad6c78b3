"""The Wireshark profile that shows a merged trial: its columns, colours and filters, and names without asking anybody.

It is written into a folder that stands for the configuration of Wireshark (`XDG_CONFIG_HOME`), so that whoever looks
keeps their own.
"""

from pathlib import Path

from correlate.dataset.durable import write_text

NAME = "im-call-lab"

COLUMNS = (
    ("No.", "%m"),
    ("Time", "%t"),
    ("End", "%Cus:frame.interface_name:0:R"),
    ("Source", "%s"),
    ("Destination", "%d"),
    ("Protocol", "%p"),
    ("Length", "%L"),
    ("Evidence", "%Cus:frame.comment:0:R"),
    ("Info", "%i"),
)
"""The title and the format of each column, of a custom one as Wireshark 4 writes it."""

PREFERENCES = {
    "nameres.network_name": "TRUE",
    "nameres.use_external_name_resolver": "FALSE",
    "nameres.dns_pkt_addr_resolution": "FALSE",
}
"""Names are those of the file alone: nothing is asked on a network, and no answer in a capture names anybody."""

_PEER = " || ".join(
    f'(frame.interface_name contains "{end}" && ({field}.host contains "{other}-"))'
    for end, other in (("caller", "callee"), ("callee", "caller"))
    for field in ("ip", "ipv6")
)

FILTERS = (
    ("exposes an address", 'frame.comment contains "exposes"', (0xFFFF, 0xD2D2, 0xB3B3)),
    ("shows a user id", 'frame.comment contains "user id"', (0xFFFF, 0xEFEF, 0xB3B3)),
    ("step of the call", 'frame.comment contains "step "', (0xD5D5, 0xE3E3, 0xF7F7)),
    ("other evidence", "frame.comment", (0xE4E4, 0xE4E4, 0xE4E4)),
    ("directly between the phones", _PEER, (0xE3E3, 0xF1F1, 0xDCDC)),
    ("STUN", "stun", (0xF4F4, 0xF4F4, 0xF4F4)),
)
"""Each with its name, its display filter and its background; the first that fits colours a packet."""
FOREGROUND = (0x1D1D, 0x1D1D, 0x1B1B)


def write(config_home: Path) -> None:
    """Writes the profile below a folder that is to be `XDG_CONFIG_HOME`."""
    folder = config_home / "wireshark" / "profiles" / NAME
    write_text(folder / "preferences", preferences())
    write_text(folder / "colorfilters", color_filters())
    write_text(folder / "dfilters", display_filters())


def preferences() -> str:
    """The text of `preferences`."""
    columns = ", ".join(f'"{title}", "{form}"' for title, form in COLUMNS)
    lines = [f"gui.column.format: {columns}", *(f"{name}: {value}" for name, value in PREFERENCES.items())]
    return "".join(f"{line}\n" for line in lines)


def color_filters() -> str:
    """The text of `colorfilters`: background before foreground, 16 bits a colour."""
    return "".join(f"@{name}@{rule}@{_color(back)}{_color(FOREGROUND)}\n" for name, rule, back in FILTERS)


def display_filters() -> str:
    """The text of `dfilters`, which Wireshark offers by name."""
    return "".join(f'"{name}" {rule}\n' for name, rule, _ in FILTERS)


def _color(parts: tuple[int, int, int]) -> str:
    return f"[{','.join(map(str, parts))}]"
