"""The keys of a handset: Android's numbers and names (android.view.KeyEvent) to what the handset calls them."""

NUMBERS = {3: "home", 4: "back", 6: "endcall", 26: "power", 79: "headsethook", 223: "sleep", 224: "wakeup"}
INERT = ("24", "25", "66", "82", "164", "187", "volume_up", "volume_down", "volume_mute", "enter", "menu", "app_switch")
"""Keys that do nothing to a call or to a screen here."""


class UnknownKey(ValueError):
    """A key that is not built."""


def named(key: str) -> str | None:
    """The handset's name of a key given by number or name, with or without KEYCODE_; None for one that does nothing."""
    key = key.lower().removeprefix("keycode_")
    name = NUMBERS.get(int(key), key) if key.isdecimal() else key
    if name in NUMBERS.values():
        return name
    if name in INERT:
        return None
    raise UnknownKey(f"key {key} is not built")
