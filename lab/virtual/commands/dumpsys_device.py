"""dumpsys of the device itself: power, display, battery, connectivity.

Wording follows what is publicly known of Android 13 to 16; it was not compared with a phone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Interface, IPv6Interface
from typing import Protocol

from lab.definitions.machines import PhoneSpec
from lab.definitions.virtual_app import HEIGHT, WIDTH
from lab.virtual.handset.handset import Handset
from lab.virtual.network.addresses import Interface
from lab.virtual.network.usage import Usage

RADIO = {"lte": ("14(LTE)", "LTE"), "nr": ("20(NR_SA)", "NR")}
"""By a phone's network: its technology as RIL names it, and as the status bar does."""
_HANDLE_MAGIC = 0xCAFED00D
"""The lower half of a network's handle (android.net.Network.HANDLE_MAGIC); the upper one is its number."""


def uid_of(handset: Handset, app: str) -> int:
    """The uid of an emulated app."""
    return handset.packages.uid(handset.apps[app].package)


class DeviceFacts(Protocol):
    """What dumpsys tells of a device beside its handset. `clock_ns` is the device's own clock, ns since the epoch.

    `clock_at` is what it showed at an instant of the bench.
    """

    @property
    def spec(self) -> PhoneSpec: ...

    @property
    def props(self) -> Mapping[str, str]: ...

    def other_packages(self) -> Mapping[str, str]: ...

    def user_state(self, package: str) -> Mapping[str, str]: ...

    @property
    def battery_percent(self) -> int: ...

    @property
    def thermal_status(self) -> int: ...

    def clock_ns(self) -> int: ...

    def clock_at(self, at_ns: int) -> int: ...

    def interfaces(self) -> Sequence[Interface]: ...

    def usage(self) -> Usage: ...


def local_time(clock_ns: int, utc_offset_minutes: int) -> datetime:
    """What a clock shows, to the millisecond, in a zone."""
    seconds, milliseconds = divmod(clock_ns // 1_000_000, 1_000)
    zone = timezone(timedelta(minutes=utc_offset_minutes))
    return datetime.fromtimestamp(seconds, zone).replace(microsecond=milliseconds * 1_000)


def display(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    frame = f"Rect(0, 0 - {WIDTH}, {HEIGHT})"
    state = "ON" if handset.screen_on else "OFF"
    return [
        "DISPLAY MANAGER (dumpsys display)",
        "  mSafeMode=false",
        "  mPendingTraversal=false",
        f"  mGlobalDisplayState={state}",
        "  mViewports=[DisplayViewport{type=INTERNAL, valid=true, isActive=true, displayId=0, uniqueId='local:0', "
        f"physicalPort=0, orientation=0, logicalFrame={frame}, physicalFrame={frame}, "
        f"deviceWidth={WIDTH}, deviceHeight={HEIGHT}}}]",
        "",
        "Display Devices: size=1",
        f'  DisplayDeviceInfo{{"Built-in Screen": uniqueId="local:0", {WIDTH} x {HEIGHT}, state {state}}}',
    ]


def battery(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    level = device.battery_percent
    return [
        "Current Battery Service state:",
        "  AC powered: false",
        "  USB powered: true",
        "  Wireless powered: false",
        "  Dock powered: false",
        "  Max charging current: 500000",
        "  Max charging voltage: 5000000",
        f"  Charge counter: {level * 46_000}",
        f"  status: {5 if level == 100 else 2}",
        "  health: 2",
        "  present: true",
        f"  level: {level}",
        "  scale: 100",
        f"  voltage: {3600 + level * 7}",
        "  temperature: 281",
        "  technology: Li-ion",
    ]


def thermalservice(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """The status is that of the skin, which is as hot as its threshold of that status says."""
    status = device.thermal_status
    skin = f"{(33.0, 39.0, 43.0, 45.0, 46.5, 52.0, 55.0)[status]:.1f}"
    sensors = [
        f"Temperature{{mValue={value}, mType={kind}, mName={name}, mStatus={at}}}"
        for value, kind, name, at in (("28.1", 2, "battery", 0), (skin, 3, "VIRTUAL-SKIN", status))
    ]
    listeners = ["\tcallbacks: 3", "\tkilled: false", "\tbroadcasts count: -1"]
    return [
        "IsStatusOverride: false",
        "ThermalEventListeners:",
        *listeners,
        "ThermalStatusListeners:",
        *listeners,
        f"Thermal Status: {status}",
        "Cached temperatures:",
        *(f"\t{sensor}" for sensor in sensors),
        "HAL Ready: true",
        "HAL connection:",
        "\tThermalHAL AIDL 2  connected: yes",
        "Current temperatures from HAL:",
        *(f"\t{sensor}" for sensor in sensors),
        "Current cooling devices from HAL:",
        "Temperature static thresholds from HAL:",
        "\tTemperatureThreshold{mType=3, mName=VIRTUAL-SKIN, mHotThrottlingThresholds=[NaN, 39.0, 43.0, 45.0, 46.5, "
        "52.0, 55.0], mColdThrottlingThresholds=[NaN, NaN, NaN, NaN, NaN, NaN, NaN]}",
    ]


def connectivity(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """One network agent for each interface that is up; under 464XLAT the v4- interface is stacked on its own."""
    up = [interface for interface in device.interfaces() if interface.up and interface.name != "lo"]
    stacked = {interface.name.removeprefix("v4-"): interface for interface in up if interface.name.startswith("v4-")}
    lines = ["NetworkProviders for:", "  Telephony_0", "  WifiNetworkFactory", ""]
    agents = [interface for interface in up if not interface.name.startswith("v4-")]
    created = local_time(device.clock_at(handset.world.started_ns), 0).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    lines += [f"Active default network: {100 if agents else 'none'}", "", "Current Networks:"]
    for number, interface in enumerate(agents, 100):
        kind, transports, capability = _kind_of(interface, agents[0], device)
        properties = _link_properties(interface, stacked.get(interface.name))
        lines.append(
            f"  NetworkAgentInfo{{network{{{number}}}  handle{{{number << 32 | _HANDLE_MAGIC}}}  "
            f"ni{{{kind} CONNECTED extra: }} created={created} "
            f"Score(Policies : EVER_VALIDATED&IS_VALIDATED ; KeepConnected : 0)  "
            f"created 34031 firstValidated 34551 lastValidated 34551  lp{{{{{properties}}}}}  "
            f"nc{{[ Transports: {transports} Capabilities: INTERNET&NOT_RESTRICTED&TRUSTED&"
            f"{capability}VALIDATED ]}}}}"
        )
    return lines


def _kind_of(interface: Interface, default: Interface, device: DeviceFacts) -> tuple[str, str, str]:
    """What a network is, its transports (a VPN has those of the default network too), and whether it is no VPN."""
    if interface.name.startswith("tun"):
        return "VPN", f"{_kind_of(default, default, device)[1]}|VPN", ""
    if interface.name.startswith("wlan"):
        return "WIFI", "WIFI", "NOT_VPN&"
    return f"MOBILE[{RADIO.get(device.spec.network, ('', 'LTE'))[1]}]", "CELLULAR", "NOT_VPN&"


def _link_properties(interface: Interface, stacked: Interface | None) -> str:
    text = f"InterfaceName: {interface.name} LinkAddresses: [ {_addresses(interface)} ] DnsAddresses: [ ] "
    text += f"Domains: null MTU: {interface.mtu} Routes: [ 0.0.0.0/0 -> 0.0.0.0 {interface.name} mtu {interface.mtu} ]"
    if stacked is not None:
        text += " Nat64Prefix: 64:ff9b::/96"
        text += f" Stacked: [[ InterfaceName: {stacked.name} LinkAddresses: [ {_addresses(stacked)} ] "
        text += f"Routes: [ 0.0.0.0/0 -> 192.0.0.4 {stacked.name} mtu 0 ] ]]"
    return text


def _addresses(interface: Interface) -> str:
    return ",".join(_address(address) for address in interface.addresses)


def _address(address: IPv4Interface | IPv6Interface) -> str:
    return f"{address.ip}/{address.network.prefixlen}"
