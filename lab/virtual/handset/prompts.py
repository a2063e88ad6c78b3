"""What lies over an app and is not its own: a question of the system, an offer of the store, no response of the app.

Ids and window titles are those of AOSP's PermissionController and AppNotRespondingDialog; the store's are invented.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lab.definitions.virtual_app import VirtualApp
from lab.virtual.handset.windows import SCREEN, Node, Shown, Window

Kind = Literal["permission", "update", "rating", "anr"]

SYSTEM, PERMISSIONS, STORE = "android", "com.android.permissioncontroller", "com.android.vending"
CLOSES = "close"
"""The button by which an app that does not respond is ended."""
_TOP, _BUTTON = 900, 150


@dataclass(frozen=True)
class _Form:
    """A prompt as it is drawn: whose it is, its activity, what it says of an app, and its buttons: id and text."""

    package: str
    activity: str
    says: str
    says_id: str
    buttons: tuple[tuple[str, str, str], ...]


_FORMS: dict[Kind, _Form] = {
    "permission": _Form(
        PERMISSIONS,
        f"{PERMISSIONS}.permission.ui.GrantPermissionsActivity",
        "Allow {app} to send you notifications?",
        f"{PERMISSIONS}:id/permission_message",
        (
            ("allow", f"{PERMISSIONS}:id/permission_allow_button", "Allow"),
            ("deny", f"{PERMISSIONS}:id/permission_deny_button", "Don't allow"),
        ),
    ),
    "update": _Form(
        STORE,
        f"{STORE}.AppUpdateDialogActivity",
        "Update {app}",
        "",
        (("update", "", "Update"), ("later", "", "No thanks")),
    ),
    "rating": _Form(
        STORE,
        f"{STORE}.InAppReviewActivity",
        "Enjoying {app}?",
        "",
        (("later", "", "Later"), ("submit", "", "Submit")),
    ),
    "anr": _Form(
        SYSTEM,
        "",
        "{app} isn't responding",
        "android:id/alertTitle",
        ((CLOSES, "android:id/aerr_close", "Close app"), ("wait", "android:id/aerr_wait", "Wait")),
    ),
}


class Prompts:
    """The one that lies over a phone's screen now, if any. `close` ends an app's process, as the system does."""

    def __init__(self, close: Callable[[str], None]) -> None:
        self._close = close
        self.begin()

    def begin(self) -> None:
        """Nothing lies over anything."""
        self._over: tuple[Kind, VirtualApp] | None = None

    def show(self, kind: Kind, app: VirtualApp) -> None:
        """It comes up, about an app; one that was there is gone."""
        self._over = kind, app

    def window(self) -> Window | None:
        """What is shown; it takes all taps."""
        if self._over is None:
            return None
        kind, app = self._over
        form = _FORMS[kind]
        text = Node(
            "android.widget.TextView",
            form.says_id,
            form.says.replace("{app}", app.label),
            "",
            (90, _TOP, 990, _TOP + _BUTTON),
            False,
            form.package,
        )
        shown = [Shown(text)]
        for number, (does, resource_id, label) in enumerate(form.buttons, 1):
            top = _TOP + number * (_BUTTON + 20)
            bounds = (120, top, 960, top + _BUTTON)
            button = Node("android.widget.Button", resource_id, label, "", bounds, True, form.package)
            shown.append(Shown(button, "prompt", app=app, screen=does))
        title = f"Application Not Responding: {app.package}" if kind == "anr" else ""
        return Window(form.package, form.activity, tuple(shown), SCREEN, title)

    def tapped(self, shown: Shown) -> None:
        """A button of it: whichever it is, the prompt goes."""
        self._over = None
        if shown.screen == CLOSES and shown.app is not None:
            self._close(shown.app.package)

    def left(self) -> bool:
        """Home or back is pressed: whether it goes by that; an app that does not respond stays reported."""
        if self._over is None or self._over[0] == "anr":
            return False
        self._over = None
        return True

    def ended(self, package: str) -> None:
        """An app's process has ended, which needs no question any more."""
        if self._over is not None and self._over[1].package == package:
            self._over = None
