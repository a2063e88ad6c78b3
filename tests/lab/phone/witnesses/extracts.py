"""What real phones printed, in short extracts; pids, uids and names replaced. Constructed ones say so."""

from lab.phone.witnesses.facts import PhoneDate

DATE = PhoneDate(1_778_259_600, 7_200)
"""2026-05-08 19:00:00 +0200."""


def at(hour: int, minute: int, second: int, milliseconds: int = 0, day: int = 8) -> int:
    """An instant of May 2026 in ns, by the local time of `DATE`."""
    midnight_s = 1_778_259_600 - 19 * 3600 + (day - 8) * 86_400
    return (midnight_s + hour * 3600 + minute * 60 + second) * 1_000_000_000 + milliseconds * 1_000_000


# After a public dump of a Xiaomi phone, Android 12 or 13: `dumpsys audio` around two WhatsApp calls.
MODES = """\
Events log: phone state (logged after successful call to AudioSystem.setPhoneState(int, int))
05-08 16:27:49:267 setMode(MODE_RINGTONE) from package=com.whatsapp pid=2001 selected mode=MODE_RINGTONE by pid=2001
05-08 16:28:34:055 setMode(MODE_NORMAL) from package=com.whatsapp pid=2001 selected mode=MODE_NORMAL by pid=0
05-08 16:58:47:349 setMode(MODE_IN_COMMUNICATION) from package=com.whatsapp pid=2002 \
selected mode=MODE_IN_COMMUNICATION by pid=2002
05-08 16:59:41:062 setMode(MODE_NORMAL) from package=com.whatsapp pid=2002 selected mode=MODE_NORMAL by pid=0
"""
RECORDERS = """\
Audio event log: recording activity received by AudioService
05-08 16:58:47:949 rec update riid:9255 uid:10166 session:9913 src:VOICE_COMMUNICATION not silenced pack:com.whatsapp
05-08 16:59:40:768 rec stop riid:9255 uid:10166 session:9913 src:VOICE_COMMUNICATION not silenced pack:com.whatsapp
"""
# The same dump: a mode that was lost for inactivity and came back in the same call.
LOST_AND_BACK = """\
05-08 13:53:15:666 setMode(MODE_IN_COMMUNICATION) from package=com.facebook.orca pid=2003 \
selected mode=MODE_IN_COMMUNICATION by pid=2003
05-08 13:53:21:540 setMode(MODE_NORMAL) from package=android pid=1001 selected mode=MODE_NORMAL by pid=0
05-08 13:53:22:250 setMode(MODE_IN_COMMUNICATION) from package=android pid=1001 \
selected mode=MODE_IN_COMMUNICATION by pid=2003
05-08 13:53:37:808 setMode(MODE_NORMAL) from package=com.facebook.orca pid=2003 selected mode=MODE_NORMAL by pid=0
"""
# After a public dump of a Galaxy A21s: what surrounds the log, and a SIM's call.
SAMSUNG = """\
  mAudioModeOwner: AudioModeInfo: mMode=MODE_NORMAL, mPid=0, mUid=0

  mScoAudioMode: SCO_MODE_VIRTUAL_CALL
Events log: Sound Effects Loading
08-19 14:48:59:430 effects loading started
08-19 14:49:00:353 effects loading completed



Event logs:
Events log: phone state (logged after successful call to AudioSystem.setPhoneState(int, int))
08-19 14:49:25:686 setMode(MODE_IN_CALL) from package=com.android.server.telecom pid=5094 \
selected mode=MODE_IN_CALL by pid=5094
08-19 14:49:33:101 setMode(MODE_NORMAL) from package=com.android.server.telecom pid=5094 \
selected mode=MODE_NORMAL by pid=0


Events log: wired/A2DP/hearing aid device connection
08-19 14:51:37:304 BluetoothActiveDeviceChanged for A2DP, device update null -> XX:XX:XX:XX:F5:5E
08-19 14:51:38:954 updateCommunicationRoute, preferredCommunicationDevice: null eventSource: setNewModeOwner


Events log: force use (logged before setForceUse() is executed)
08-19 14:49:34:069 setForceUse(FOR_VIBRATE_RINGING, FORCE_NONE) due to muteRingerModeStreams() from u/pid:1000/5094
"""
# `dumpsys media.camera` of a Galaxy (from a paper on its forensics) and of a board with AOSP.
CAMERA = """\
Active Camera Clients:
[]
Allowed user IDs: 0

== Camera service events log (most recent at top): ==
08-26 16:44:58 : DISCONNECT device 0 client for package org.thoughtcrime.securesms (PID 2158)
08-26 16:44:55 : CONNECT device 0 client for package org.thoughtcrime.securesms (PID 2158, priority 0)
08-26 16:44:21 : DISCONNECT device 20 client for package com.sec.android.app.camera (PID 31298)
08-26 16:44:19 : CONNECT device 20 client for package com.sec.android.app.camera (PID 31298, priority 0)
"""
CAMERA_AOSP = """\
== Camera service events log (most recent at top): ==
  11-08 15:31:05 : ADD device 0, reason: (Device added)
  11-08 15:30:58 : REMOVE device 0, reason: (Device status changed from 1 to 0)
  11-08 15:19:18 : USER_SWITCH previous allowed user IDs: <None>, current allowed user IDs: 0
"""
# Constructed from the source of LineageOS Telecomm 19.1 to 21.0: no public dump of an app's call was found.
TELECOM = """\
Analytics:
  Call TC@7: {
    startTime: 1767225612000
    callTerminationReason: DisconnectCause [ Code: (REMOTE) Label: () Description: () Reason: () Tone: (-1) ]
Historical Events:
  SelfMgd CallTC@7 [May 8, 2026 6:00:00 PM](MT - incoming)(User=UserHandle{0})
  \t>>>Target PhoneAccount: ComponentInfo{com.whatsapp/com.whatsapp.voipcalling.SelfManagedConnectionService}, \
[***] (WhatsApp)
  \tTo address: sip:***********00 Presentation: Allowed
    18:00:00.556 - CREATED (com.whatsapp;selfMgd:true):TSI.aNIC@AAA
    18:00:01.100 - SET_RINGING (ringing set explicitly):CSW.sR@AAB
    18:00:12.000 - SET_ACTIVE (active set explicitly):CSW.sA@AAC
    18:01:12.000 - SET_DISCONNECTED (disconnected set explicitly> DisconnectCause [ Code: (REMOTE) ]):CSW.sDc@AAD
    18:01:12.020 - DESTROYED:CSW.rC@AAD
"""
# Shapes from public logs of `logcat -b events`; without -v epoch, as such logs are.
THREADTIME = """\
10-27 04:34:02.969  1341  2595 I input_interaction: Interaction with: 3247aff \
com.whatsapp/com.whatsapp.calling.ui.VoipActivityV2 (server), [Gesture Monitor] swipe-up (server), \
PointerEventDispatcher0 (server), \

06-27 17:59:15.844  1144  1144 I notification_enqueue: [10234,21272,com.whatsapp,23,NULL,0,Notification(channel=calls \
flags=0x62 category=call actions=2 vis=PRIVATE),0]
08-10 11:20:03.810  1508  1508 I notification_canceled: [0|com.whatsapp|23|null|10234,8,579,579,0,-1,-1,NULL]
"""


def as_epoch(text: str) -> str:
    """The same lines as `-v epoch` stamps them, one second apart from 1761539642.969 on (liblog pads to 19)."""
    lines = [line[18:] for line in text.splitlines() if line.strip()]
    return "".join(f"{1_761_539_642 + index:>19}.969{line}\n" for index, line in enumerate(lines))
