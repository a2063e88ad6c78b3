"""What a phone's agent says where it fails, in words that tell people what to do.

The texts are Java's: `SecurityException: Injecting ... INJECT_EVENTS` where a maker forbids taps by adb (Xiaomi's MIUI
and HyperOS, and others after them), `UiAutomation not connected` and `already registered` where Android has taken the
one UiAutomation of a phone from the agent.
"""

LIMIT = 300
_FIXES = (
    (
        "INJECT_EVENTS",
        "the phone forbids taps by adb (INJECT_EVENTS); switch on `USB debugging (Security settings)` in its developer "
        "options, where it has that (Xiaomi), then connect it again",
    ),
    (
        "already registered",
        "another program holds the phone's UiAutomation (already registered); end it (Appium, `uiautomator dump`, "
        "another lab), then run again",
    ),
    (
        "UiAutomation not connected",
        "Android has taken its UiAutomation from it (UiAutomation not connected); end what else tests on the phone and "
        "run again; where it stays, restart the phone",
    ),
)


def explained(text: str) -> str | None:
    """What to do about a text of an agent or of a phone's `input`; None where nothing known is in it."""
    return next((fix for words, fix in _FIXES if words in text), None)


def cause(error: BaseException) -> str:
    """An agent's error as one line: what to do where that is known, else the beginning of what it says.

    The whole text is looked through: what matters may stand at the end of a long one.
    """
    text = " ".join(str(error).split())
    return explained(text) or f"{type(error).__name__}: {text[:LIMIT]}"
