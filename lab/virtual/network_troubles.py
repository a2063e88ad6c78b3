"""Faults of networks: the hotspot's, a phone's own, and of a call's relays."""

from functools import partial
from typing import Protocol

from lab.definitions.faults import Fault
from lab.virtual.handset.exchange import Exchange
from lab.virtual.laptop import VirtualLaptop
from lab.virtual.network.network import Network
from lab.virtual.rehearsal import States
from lab.virtual.world import World

GIVEN_UP_S = 20.0
"""After so long an operator ends the call of a phone that is out of reach."""


class OfNetworks(Protocol):
    """What of a bench these faults are made at."""

    world: World
    laptop: VirtualLaptop
    network: Network
    exchange: Exchange


class NetworkTroubles:
    """These faults of one bench, by name."""

    def __init__(self, bench: OfNetworks) -> None:
        self._bench = bench
        self.states: States = {
            "hotspot_gone": self._stop_hotspot,
            "network_lost": self._lose,
            "relay_unreachable": self._silence_relays,
        }

    def _stop_hotspot(self, fault: Fault, on: bool) -> None:
        network = self._bench.network
        self._bench.laptop.hotspot_on = not on
        for phone, access in network.datapath.accesses.items():
            if access.spec.link == "ethernet":
                (network.take_down if on else network.bring_up)(phone)

    def _lose(self, fault: Fault, on: bool) -> None:
        """Nothing passes, in a call neither, which the operator gives up in the end."""
        network, exchange, phone = self._bench.network, self._bench.exchange, fault.on
        for cut_off in (network.outages.cut_off, exchange.cut_off):
            (cut_off.add if on else cut_off.discard)(phone)
        (network.take_down if on else network.bring_up)(phone)
        if on:
            self._bench.world.after(round(GIVEN_UP_S * 1e9), partial(self._give_up, phone))

    def _give_up(self, phone: str) -> None:
        if phone in self._bench.exchange.cut_off:
            self._bench.exchange.lose(phone)

    def _silence_relays(self, fault: Fault, on: bool) -> None:
        for unanswered in (self._bench.network.outages.unanswered, self._bench.exchange.relayless):
            (unanswered.add if on else unanswered.discard)(fault.on)
