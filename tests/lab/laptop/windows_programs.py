"""Plays the programs of Windows that the agent starts: reg, powershell, sc, netsh, arp. Refuses what it does not know.

Linked under their names; `STANDIN` in the environment names the file of its state: `idle` (the registry's value or
null), `hotspot`, `service_idle` (what the hotspot's service read when it started), `log`.
"""

import base64
import json
import os
import sys
from pathlib import Path

KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\icssvc\Settings"
VALUE = ["/v", "PeerlessTimeoutEnabled"]


def reg(state, argv):
    if argv == ["query", KEY, *VALUE]:
        if state["idle"] is None:
            print("ERROR: The system was unable to find the specified registry key or value.", file=sys.stderr)
            return 1
        print(f"\r\n{KEY}\r\n    PeerlessTimeoutEnabled    REG_DWORD    {state['idle']}\r\n\r\n")
        return 0
    if argv[0] in ("add", "delete") and state.get("no_administrator"):
        print("ERROR: Access is denied.", file=sys.stderr)
        return 1
    if argv[:6] == ["add", KEY, *VALUE, "/t", "REG_DWORD"] and argv[6] == "/d" and argv[8:] == ["/f"]:
        state["idle"] = argv[7]
        return 0
    if argv == ["delete", KEY, *VALUE, "/f"]:
        state["idle"] = None
        return 0
    return 99


def powershell(state, argv):
    if argv[:-1] != ["-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand"]:
        return 99
    strict, _, script = base64.b64decode(argv[-1]).decode("utf-16-le").partition("\n")
    if strict != "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'":
        return 99
    print("WARNING: what PowerShell says besides", file=sys.stderr)
    if script == "Restart-Service icssvc -Force":
        state["hotspot"], state["service_idle"] = "Off", state["idle"]
        return 0
    if "CreateFromConnectionProfile($internet)" in script and "StartTetheringAsync()" in script:
        if state.get("no_internet"):
            print("there is no internet connection to share", file=sys.stderr)
            return 1
        if state["hotspot"] != "On":
            state["hotspot"] = "On"
            print("started")
        print(state["hotspot"])
        return 0
    if "Get-NetAdapterRsc -IncludeHidden" in script and "-eq '{5E100001-0000-4000-8000-00005E100001}'" in script:
        if state["rsc"] is None:
            print("there is no such adapter", file=sys.stderr)
            return 1
        print("\r\n".join([str(state["build"]), *state["rsc"]]), end="\r\n")
        return 0
    if script.startswith("(Get-CimInstance Win32_Process -Filter 'ProcessId="):
        pid = script.split("ProcessId=")[1].split("'")[0]
        path = Path(f"/proc/{pid}/cmdline")
        print(path.read_text().replace("\0", " ") if path.exists() else "")
        return 0
    return 99


def sc(state, argv):
    return 0 if argv == ["config", "sshd", "start=", "auto"] else 99


def netsh(state, argv):
    if argv == ["int", "udp", "show", "global"] and state["udp"] is not None:
        print(f"UDP Global Parameters\r\n-----------------\r\n{state['udp']}\r\n\r")
        return 0
    if argv[:2] != ["advfirewall", "firewall"]:
        return 99
    rule = argv[4]
    if argv[2:4] == ["delete", "rule"] and len(argv) == 5:
        known = [one for one in state["rules"] if one[0] == rule]
        state["rules"] = [one for one in state["rules"] if one[0] != rule]
        return 0 if known else 1
    if argv[2:4] == ["add", "rule"]:
        state["rules"].append(argv[4:])
        return 0
    return 99


def arp(state, argv):
    print("\r\nInterface: 192.168.137.1 --- 0x12\r\n  Internet Address      Physical Address      Type\r")
    print("  192.168.137.23        02-00-5E-10-00-01     dynamic   \r")
    print("  192.168.137.255       FF-FF-FF-FF-FF-FF     static    \r")
    print("  224.0.0.22            01-00-5E-00-00-16     static    \r")
    print("\r\nSchnittstelle: 192.0.2.17 --- 0x5\r\n  Internetadresse       Physische Adresse     Typ\r")
    return 0


if __name__ == "__main__":
    name, file = Path(sys.argv[0]).name, Path(os.environ["STANDIN"])
    state = json.loads(file.read_text())
    state["log"].append(name)
    code = {"reg": reg, "powershell": powershell, "sc": sc, "netsh": netsh, "arp": arp}[name](state, sys.argv[1:])
    file.write_text(json.dumps(state))
    sys.exit(code)
