"""A call in another app, from somebody who is not of this bench: it rings, and nobody of the lab may touch it."""

from lab.definitions.virtual_app import VirtualApp
from lab.virtual.handset.audio import Audio
from lab.virtual.handset.callside import CallSide, Display
from lab.virtual.handset.packages import Packages
from lab.virtual.handset.postings import BY_APP
from lab.virtual.handset.windows import Notification, other_call
from lab.virtual.world import World


class OtherCall:
    """Such calls of one phone, one at a time. `touches` counts those that were answered or declined here."""

    def __init__(self, world: World, display: Display, packages: Packages, calls: CallSide, audio: Audio) -> None:
        self._world, self._display, self._packages = world, display, packages
        self._calls, self._audio = calls, audio
        self.begin()

    def begin(self) -> None:
        """Nobody calls."""
        self.touches = 0

    def posted(self) -> list[Notification]:
        """The notification of such a call, if there is one."""
        return [one for one in self._calls.notifications if one.other_call]

    def ring(self, app: VirtualApp) -> None:
        """Somebody calls: a notification over the screen, and the mode of the ringing where no other call has it."""
        self._packages.started.add(app.package)
        self._display.on = True
        self._calls.post(other_call(app, self._world.now_ns))
        if self._audio.mode == "MODE_NORMAL":
            self._audio.request(app.package, "MODE_RINGTONE")

    def end(self) -> None:
        """The caller has given up, if the call is still there."""
        for one in self.posted():
            self._calls.cancel([one], BY_APP)
            if any(owner.package == one.package for owner in self._audio.stack):
                self._audio.request(one.package, "MODE_NORMAL")

    def touched(self) -> None:
        """Somebody answered or declined it here; either ends it."""
        self.touches += 1
        self.end()
