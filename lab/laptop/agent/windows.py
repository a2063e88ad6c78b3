"""The programs of Windows that the agent uses: registry, hotspot, services, firewall. None of it ran on Windows yet."""

from __future__ import annotations

import base64
import os
import re
from typing import Any

from lab.laptop.agent.programs import Refused, demanded, ran

HOTSPOT_S = 60.0
IDLE_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\icssvc\Settings"
IDLE_VALUE = "PeerlessTimeoutEnabled"
FIREWALL_RULE = "im-call-lab agent"
# The first error ends a script with exit code 1; progress would be written as XML among the errors.
STRICT = "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'\n"


def _winrt(space: str, name: str) -> str:
    """A WinRT type as PowerShell writes it."""
    return f"[Windows.Networking.{space}.{name},Windows.Networking.{space},ContentType=WindowsRuntime]"


START_HOTSPOT = (
    r"""
Add-Type -AssemblyName System.Runtime.WindowsRuntime
$internet = @Information::GetInternetConnectionProfile()
if ($null -eq $internet) { throw 'there is no internet connection to share' }
$manager = @Manager::CreateFromConnectionProfile($internet)
if ("$($manager.TetheringOperationalState)" -ne 'On') {
  $wait = [System.WindowsRuntimeSystemExtensions].GetMethods() | Where-Object {
    $_.Name -eq 'AsTask' -and $_.GetParameters().Count -eq 1 -and
    $_.GetParameters()[0].ParameterType.Name -eq 'IAsyncOperation`1' } | Select-Object -First 1
  $task = $wait.MakeGenericMethod(@Result).Invoke($null, @($manager.StartTetheringAsync()))
  [void]$task.Wait(30000)
  'started'
}
for ($n = 0; $n -lt 50 -and "$($manager.TetheringOperationalState)" -eq 'InTransition'; $n++) {
  Start-Sleep -Milliseconds 200
}
"$($manager.TetheringOperationalState)"
""".replace("@Information", _winrt("Connectivity", "NetworkInformation"))
    .replace("@Manager", _winrt("NetworkOperators", "NetworkOperatorTetheringManager"))
    .replace("@Result", _winrt("NetworkOperators", "NetworkOperatorTetheringOperationResult"))
)
"""Prints the hotspot's state, after `started` where it was not on. Needs Windows PowerShell 5.1."""

RSC = r"""
[Environment]::OSVersion.Version.Build
$adapter = Get-NetAdapter -IncludeHidden | Where-Object { $_.InterfaceGuid -eq '@Guid' }
if ($null -eq $adapter) { throw 'there is no such adapter' }
Get-NetAdapterRsc -IncludeHidden | Where-Object { $_.InterfaceDescription -eq $adapter.InterfaceDescription } |
ForEach-Object {
  if ($_.IPv4Enabled) { 'rsc-ipv4' }
  if ($_.IPv6Enabled) { 'rsc-ipv6' }
}
"""
"""Prints Windows' build, then what joins TCP on an adapter; nothing for one that cannot."""
GUID = re.compile(r"\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}\Z")
URO_BUILD = 26100
URO = re.compile(r"(?im)^.*(?:\bURO\b|receive offload).*:\s*(enabled|disabled)\s*$")


class Windows:
    """The programs of Windows that the agent uses. All that changes something needs an administrator's login."""

    places: tuple[str, ...] = (r"C:\Program Files\Wireshark", r"C:\Program Files (x86)\Wireshark")

    def idle_timeout(self) -> str | None:
        """The setting by which an idle hotspot goes off: `absent` (it does) or a number; None where it stays on."""
        found = re.search(r"REG_DWORD\s+(0x[0-9a-fA-F]+)", ran(["reg", "query", IDLE_KEY, "/v", IDLE_VALUE])[1])
        if found is None:
            return "absent"
        return found[1] if int(found[1], 16) else None

    def start_hotspot(self, idle_off: bool) -> str:
        """Have the hotspot on, without its idle time-out where asked: `On`, or `started On` where it was off."""
        if idle_off:
            self._set_idle_timeout("0x0")
            # The service reads it when it starts; a hotspot that is on goes off by this and is started below.
            self._powershell("Restart-Service icssvc -Force")
        words = self._powershell(START_HOTSPOT).split()
        if words[-1:] != ["On"]:
            raise Refused(f"the hotspot does not start: {' '.join(words)[-300:]}")
        return " ".join(words[-2:])

    def put_back(self, state: dict[str, Any]) -> None:
        before = state.pop("idle_timeout", None)
        if before == "absent":
            demanded(["reg", "delete", IDLE_KEY, "/v", IDLE_VALUE, "/f"])
        elif before is not None:
            self._set_idle_timeout(before)

    def _set_idle_timeout(self, value: str) -> None:
        demanded(["reg", "add", IDLE_KEY, "/v", IDLE_VALUE, "/t", "REG_DWORD", "/d", value, "/f"])

    def setup(self) -> list[str]:
        """sshd at every start of Windows, and one firewall rule: its port, from the controller's address alone."""
        demanded(["sc", "config", "sshd", "start=", "auto"])
        peer = os.environ.get("SSH_CONNECTION", "").split()
        if len(peer) != 4:
            return ["sshd starts with Windows", "no firewall rule: this is no ssh login"]
        ran(["netsh", "advfirewall", "firewall", "delete", "rule", f"name={FIREWALL_RULE}"])
        scope = ["dir=in", "action=allow", "protocol=TCP", f"localport={peer[3]}", f"remoteip={peer[0]}"]
        demanded(["netsh", "advfirewall", "firewall", "add", "rule", f"name={FIREWALL_RULE}", *scope])
        return ["sshd starts with Windows", f"firewall rule '{FIREWALL_RULE}': port {peer[3]} from {peer[0]}"]

    def command_line(self, pid: int) -> str:
        return self._powershell(f"(Get-CimInstance Win32_Process -Filter 'ProcessId={pid}').CommandLine")

    def neighbours(self) -> str:
        return demanded(["arp", "-a"])

    def interfaces(self) -> dict[str, list[str]]:
        raise Refused("install Wireshark with Npcap: without dumpcap nothing can be captured on Windows")

    def coalescing(self, interface: str) -> list[str] | None:
        """What joins packets on the adapter of a name like `\\Device\\NPF_{GUID}`; None where nobody can tell."""
        guid = GUID.search(interface)
        if guid is None:
            return None
        try:
            build, *joining = self._powershell(RSC.replace("@Guid", guid[0])).split()
        except Refused:
            # An older Windows without these words captures all the same.
            return None
        if int(build) < URO_BUILD:
            return joining
        uro = URO.search(ran(["netsh", "int", "udp", "show", "global"])[1])
        if uro is None:
            return None
        return [*joining, *(["uro"] if uro[1].lower() == "enabled" else [])]

    def _powershell(self, script: str) -> str:
        # Windows PowerShell 5.1: PowerShell 7 knows no WinRT types.
        encoded = base64.b64encode((STRICT + script).encode("utf-16-le")).decode()
        argv = ["powershell", "-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", encoded]
        return demanded(argv, HOTSPOT_S)
