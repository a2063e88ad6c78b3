"""How notifications are named and described in dumps and in the events buffer, by Android version."""

from lab.virtual.handset.windows import Notification

BY_APP, PACKAGE_CHANGED = 8, 5
"""Why a notification is cancelled (NotificationListenerService.REASON_APP_CANCEL, REASON_PACKAGE_CHANGED)."""

_CALL_FLAGS, _OTHER_FLAGS = (0x62, "ONGOING_EVENT|NO_CLEAR|FOREGROUND_SERVICE"), (0x10, "AUTO_CANCEL")


def category_of(one: Notification) -> str:
    return "call" if one.call is not None or one.other_call else "missed_call"


def key_of(one: Notification, uid: int) -> str:
    """Its key: user, package, id, tag, uid (StatusBarNotification.key)."""
    return f"0|{one.package}|{one.id}|null|{uid}"


def described(one: Notification, sdk: int) -> str:
    """Notification.toString; from API level 36 its flags stand by name."""
    bits, names = _CALL_FLAGS if category_of(one) == "call" else _OTHER_FLAGS
    form = f"defaults=0 flags={names}" if sdk >= 36 else f"defaults=0x0 flags=0x{bits:x}"
    return (
        f"Notification(channel={one.channel} shortcut=null contentView=null vibrate=null sound=null {form} "
        f"color=0x00000000 category={category_of(one)} actions={len(one.actions)} vis=PRIVATE)"
    )


def event_fields(one: Notification, uid: int, pid: int, text: str) -> tuple[str, ...]:
    """The fields of `notification_enqueue`."""
    return (str(uid), str(pid), one.package, str(one.id), "NULL", "0", text, "0")
