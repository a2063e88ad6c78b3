"""What a phone's services note of its calls while they go on: audio modes, recorders, cameras, Telecom.

Nothing here moves a call. Delays are drawn by keys of their own, so that no draw of a call depends on them.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lab.virtual.handset.audio import TELECOM, Audio, AudioMode
from lab.virtual.handset.disorders import Disorders, slow_ns
from lab.virtual.handset.exchange import CallView, EndedBy
from lab.virtual.handset.history import CallEntry, History
from lab.virtual.world import World

CALL_SOURCE = "VOICE_COMMUNICATION"
FRONT, BACK = "1", "0"
SIM_ACCOUNT = "com.android.phone/com.android.services.telephony.TelephonyConnectionService"
OTHER_RECORDERS = (
    ("com.google.android.googlequicksearchbox", "HOTWORD"),
    ("com.google.android.googlequicksearchbox", "HOTWORD"),
    ("com.google.android.tts", "VOICE_RECOGNITION"),
)
SimState = Literal[0, 1, 2]

_MS = 1_000_000
_SIM_MODES: dict[SimState, AudioMode] = {0: "MODE_NORMAL", 1: "MODE_RINGTONE", 2: "MODE_IN_CALL"}


@dataclass(eq=False)
class _Noted:
    """A call that goes on here, as far as it was noted. `camera`: the one it is connected to."""

    package: str
    video: bool
    entry: CallEntry | None
    recording: bool = False
    checked: bool = False
    camera: str | None = None


class Records:
    """The notes of one phone."""

    def __init__(self, name: str, world: World, history: History, audio: Audio, disorders: Disorders) -> None:
        self._name, self._world = name, world
        self._history, self._audio, self._disorders = history, audio, disorders
        self.begin()

    def begin(self) -> None:
        """No call goes on; other packages record where that is out of order."""
        self._noted: _Noted | None = None
        self._ending: _Noted | None = None
        self._preview: str | None = None
        self._counts: Counter[str] = Counter()
        self.sim_state: SimState = 0
        self.sim_call: CallEntry | None = None
        if "hotword" in self._disorders:
            self._wait_for_words()

    @property
    def entry(self) -> CallEntry | None:
        """What Telecom knows of the call that goes on here."""
        return self._noted.entry if self._noted is not None else None

    # The call, as it goes on

    def shows(self, package: str | None) -> None:
        """A chat of a package that makes video calls is opened, or whatever was open is left."""
        if self._preview is not None and self._preview != package:
            self._history.camera("DISCONNECT", self._preview, FRONT)
            self._preview = None
        early = "early_camera" in self._disorders and self._early == 0
        if package is not None and early and self._preview is None and self._noted is None:
            self._preview = package
            self._history.camera("CONNECT", package, FRONT)

    def placed(self, view: CallView) -> None:
        noted = self._begun(view)
        if self._preview is not None and noted.video and self._preview == noted.package:
            noted.camera, self._preview = FRONT, None
        self.shows(None)
        self._ask(noted, "MODE_IN_COMMUNICATION")
        self._tell_telecom(noted, "SET_DIALING", "dialing set explicitly")
        if "early_camera" in self._disorders and self._early < 2:
            self._camera_soon(noted)

    def offered(self, view: CallView) -> None:
        noted = self._begun(view)
        self._ask(noted, "MODE_RINGTONE")
        self._tell_telecom(noted, "SET_RINGING", "ringing set explicitly")

    def other_rings(self) -> None:
        """The caller hears that the other phone rings."""
        if self._noted is not None and "early_camera" in self._disorders:
            self._camera_soon(self._noted)

    def talks(self) -> None:
        """The call was answered, here or there."""
        noted = self._noted
        if noted is None or noted.recording:
            return
        noted.recording = True
        self._ask(noted, "MODE_IN_COMMUNICATION")
        self._tell_telecom(noted, "SET_ACTIVE", "active set explicitly")
        self._later("recorder", 50, 350, lambda: self._record(noted))
        self._camera_soon(noted)

    def turns_to_video(self) -> None:
        """A voice call becomes a video call."""
        if self._noted is not None:
            self._noted.video = True
            self._camera_soon(self._noted)

    def asked_through_telecom(self, request: Literal["REQUEST_ACCEPT", "REQUEST_DISCONNECT"]) -> None:
        """Somebody uses Telecom's own means on the call: a headset's button, a car."""
        if self.entry is not None:
            self._history.telecom_event(self.entry, request)

    def over(self, view: CallView, ended_by: EndedBy | None) -> None:
        """The call is over, as far as this phone knows: its app gives everything back, each a little later."""
        noted, self._noted = self._noted, None
        if noted is None:
            return
        self._ending = noted
        stop_ns, release_ns = self._give_back_ns(noted)
        if noted.recording:
            self._world.after(stop_ns, lambda: self._stop_recording(noted))
        self._world.after(release_ns, lambda: self._release(noted))
        self._later("camera_off", 50, 300, lambda: self._disconnect(noted))
        entry, cause = noted.entry, self._cause(view, ended_by)
        if entry is not None:
            self._later("telecom_over", 2, 60, lambda: self._history.telecom_over(entry, cause))

    def killed(self, package: str) -> None:
        """The process of a package is gone: the system takes back what it had."""
        if self._preview == package:
            self.shows(None)
        self._audio.died(package)
        for noted in (self._noted, self._ending):
            if noted is not None and noted.package == package:
                if self._is_recording(noted):
                    self._history.recorder("release", package, CALL_SOURCE)
                self._disconnect(noted)
                if noted.entry is not None:
                    self._history.telecom_over(noted.entry, "ERROR")
                if self.sim_call is None:
                    self._audio.request(TELECOM, "MODE_NORMAL")
        if self._noted is not None and self._noted.package == package:
            self._noted = None

    def sim(self, state: SimState) -> None:
        """The SIM's line is idle (0), rings (1) or is off hook (2): Telecom knows of it and has the audio mode."""
        if state == self.sim_state:
            return
        if self.sim_call is None:
            self.sim_call = self._history.telecom(SIM_ACCOUNT, incoming=state == 1, self_managed=False)
            words = [("SET_RINGING", "successful incoming call")] if state == 1 else [("SET_DIALING", "")]
        else:
            words = []
        if state == 2:
            words.append(("SET_ACTIVE", "active set explicitly"))
        for event, data in words:
            self._history.telecom_event(self.sim_call, event, data)
        if state == 0:
            self._history.telecom_over(self.sim_call, "LOCAL" if self.sim_state == 2 else "MISSED")
            self.sim_call = None
        self.sim_state = state
        self._audio.request(TELECOM, _SIM_MODES[state])

    # How it is noted

    @property
    def _early(self) -> int:
        """When an early camera connects: at the chat, at dialling, while the other phone rings."""
        return self._disorders.draw("early_camera/when", 3)

    def _begun(self, view: CallView) -> _Noted:
        app = view.call.app
        video = view.call.service == "video"
        last, self._ending = self._ending, None
        if last is not None:
            # Whoever calls again at once has given back the microphone and the camera; the mode it just keeps.
            self._stop_recording(last)
            self._disconnect(last)
        entry = None
        if app.telecom is not None and "no_telecom" not in self._disorders:
            component = f"{app.package}/{app.telecom}"
            entry = self._history.telecom(component, incoming=view.role == "callee", video=video)
        self._noted = _Noted(app.package, video, entry)
        return self._noted

    def _ask(self, noted: _Noted, mode: AudioMode) -> None:
        if noted.entry is not None and self.sim_call is None and "telecom_first" in self._disorders:
            self._audio.request(TELECOM, mode)
        self._audio.request(noted.package, mode)
        if mode == "MODE_IN_COMMUNICATION" and "mode_dropped" in self._disorders and not noted.checked:
            noted.checked = True
            self._later("check", 5_850, 6_050, lambda: self._check(noted))

    def _check(self, noted: _Noted) -> None:
        if self._noted is noted:
            self._audio.check(noted.package, active=False)
            self._later("check_again", 650, 750, lambda: self._audio.check(noted.package, active=True))

    def _tell_telecom(self, noted: _Noted, event: str, data: str) -> None:
        entry = noted.entry
        if entry is not None:
            self._later("telecom", 5, 60, lambda: self._unless_over(entry, event, data))

    def _unless_over(self, entry: CallEntry, event: str, data: str) -> None:
        if entry.cause is None:
            self._history.telecom_event(entry, event, data)

    def _record(self, noted: _Noted) -> None:
        if self._noted is not noted:
            return
        begins: Literal["start", "update"] = "update" if "recorder_update" in self._disorders else "start"
        self._history.recorder(begins, noted.package, CALL_SOURCE)
        if begins == "start":
            self._later("recorder_goes_on", 4, 40, lambda: self._goes_on(noted))

    def _goes_on(self, noted: _Noted) -> None:
        if self._noted is noted:
            self._history.recorder("update", noted.package, CALL_SOURCE)

    def _is_recording(self, noted: _Noted) -> bool:
        return noted.recording and (noted.package, CALL_SOURCE) in self._history.recording

    def _stop_recording(self, noted: _Noted) -> None:
        if self._is_recording(noted):
            self._history.recorder("stop", noted.package, CALL_SOURCE)
            self._history.recorder("release", noted.package, CALL_SOURCE)
        noted.recording = False

    def _release(self, noted: _Noted) -> None:
        if self._noted is not None and self._noted.package == noted.package:
            return
        self._audio.request(noted.package, "MODE_NORMAL")
        if noted.entry is not None and self.sim_call is None:
            self._audio.request(TELECOM, "MODE_NORMAL")

    def _give_back_ns(self, noted: _Noted) -> tuple[int, int]:
        """How long after the end the recorder stops, and the mode is given back."""
        other, slow = "other_tear_down" in self._disorders, "slow_records" in self._disorders
        stop_ns = self._drawn("stop", 150, 400) if other else self._drawn("stop", 20, 150)
        if slow:
            stop_ns = slow_ns(self._chance("slow").randrange(10_001))
        if not noted.recording:
            return stop_ns, stop_ns if slow else self._drawn("audio_release", 50, 300)
        if other and self._chance("mode_first").randrange(2):
            return stop_ns, stop_ns * self._chance("mode").randrange(20, 80) // 100
        return stop_ns, stop_ns + self._drawn("mode_after", 100, 350)

    def _cause(self, view: CallView, ended_by: EndedBy | None) -> str:
        """What the app tells Telecom."""
        if ended_by == view.role:
            return "REJECTED" if view.role == "callee" and not view.accepted else "LOCAL"
        if view.role == "callee" and not view.accepted:
            return ("MISSED", "CANCELED")[self._disorders.draw("cause", 2)]
        return "REMOTE"

    def _camera_soon(self, noted: _Noted) -> None:
        if noted.video and noted.camera is None:
            self._later("camera", 50, 400, lambda: self._connect(noted, FRONT))

    def _connect(self, noted: _Noted, device: str) -> None:
        if self._noted is not noted or noted.camera is not None:
            return
        noted.camera = device
        self._history.camera("CONNECT", noted.package, device)
        if "lens_switch" in self._disorders:
            self._later("lens", 2_500, 9_000, lambda: self._switch(noted))

    def _switch(self, noted: _Noted) -> None:
        if self._noted is noted and noted.camera is not None:
            device = BACK if noted.camera == FRONT else FRONT
            self._disconnect(noted)
            self._later("other_lens", 30, 300, lambda: self._connect(noted, device))

    def _disconnect(self, noted: _Noted) -> None:
        if noted.camera is not None:
            self._history.camera("DISCONNECT", noted.package, noted.camera)
            noted.camera = None

    def _wait_for_words(self) -> None:
        self._later("words", 2_000, 16_000, self._hear_words)

    def _hear_words(self) -> None:
        package, source = self._chance("words_of").choice(OTHER_RECORDERS)
        self._history.recorder("start", package, source)
        self._later("words_end", 300, 4_000, lambda: self._heard(package, source))

    def _heard(self, package: str, source: str) -> None:
        self._history.recorder("stop", package, source)
        self._history.recorder("release", package, source)
        self._wait_for_words()

    def _later(self, what: str, low_ms: int, high_ms: int, action: Callable[[], None]) -> None:
        self._world.after(self._drawn(what, low_ms, high_ms), action)

    def _drawn(self, what: str, low_ms: int, high_ms: int) -> int:
        return self._chance(what).randrange(low_ms * _MS, high_ms * _MS + 1)

    def _chance(self, what: str) -> random.Random:
        self._counts[what] += 1
        return self._world.chance(f"records/{self._name}/{what}/{self._counts[what]}")
