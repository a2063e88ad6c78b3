"""One call as a lab's own script makes it: adbutils and uiautomator2 as their READMEs show them, with their time-outs.

It connects, starts both captures, taps, waits, sleeps, hangs up, stops and copies; it tries nothing again and proves
nothing. Nothing of the lab is imported: `benchmarks.plain` starts it, and judges what it says by the truth.

    python plain_script.py ADB_PORT CALLER CALLEE CONTACT FOLDER LAPTOP...
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

import adbutils
import uiautomator2 as u2

WHATSAPP = "com.whatsapp"
ON_PHONE, ON_LAPTOP = "/data/local/tmp/caller.pcap", "/captures/callee.pcapng"
RING_S, TALK_S, SETTLE_S = 3.0, 10.0, 2.0


def main(port: str, caller_serial: str, callee_serial: str, contact: str, folder: str, *laptop: str) -> None:
    client = adbutils.AdbClient(host="127.0.0.1", port=int(port))
    caller, callee = u2.connect(client.device(caller_serial)), u2.connect(client.device(callee_serial))
    for phone in (caller, callee):
        phone.screen_on()
        phone.shell("wm dismiss-keyguard")

    on_caller = client.device(caller_serial).shell(f"su -c 'tcpdump -i rmnet1 -w {ON_PHONE}'", stream=True)
    subprocess.run([*laptop, "bash", "-c", "mkdir -p /captures"], check=True)
    on_laptop = subprocess.Popen([*laptop, "dumpcap", "-i", "wlan1", "-w", ON_LAPTOP], stderr=subprocess.DEVNULL)
    time.sleep(SETTLE_S)

    caller.shell(f"am start -a android.intent.action.VIEW -d https://wa.me/{contact} -p {WHATSAPP}")
    caller(description="Voice call").click(timeout=10)
    whole, banner = callee(resourceId=f"{WHATSAPP}:id/accept_incoming_call_view"), callee(description="Answer")
    for _ in range(30):
        if whole.exists or banner.exists:
            break
        time.sleep(1)
    time.sleep(RING_S)
    if whole.exists:
        whole.swipe("up")
    else:
        banner.click(timeout=10)
    time.sleep(TALK_S)
    caller(resourceId=f"{WHATSAPP}:id/end_call_button").click(timeout=10)
    time.sleep(SETTLE_S)

    running = caller.shell("su -c 'ps -A -o PID,ARGS'").output
    for line in running.splitlines():
        if "tcpdump" in line and ON_PHONE in line:
            caller.shell(f"su -c 'kill -INT {line.split()[0]}'")
    on_laptop.send_signal(signal.SIGINT)
    on_laptop.wait()
    time.sleep(SETTLE_S)
    on_caller.close()
    caller.shell(f"su -c 'chmod 644 {ON_PHONE}'")
    caller.pull(ON_PHONE, str(Path(folder) / "caller.pcap"))
    with (Path(folder) / "callee.pcapng").open("wb") as file:
        subprocess.run([*laptop, "cat", ON_LAPTOP], stdout=file, check=True)
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
