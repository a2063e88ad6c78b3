"""What a dataset's provenance means to those who read its figures beside the paper's."""

from collections.abc import Mapping
from dataclasses import dataclass

from correlate.dataset.record import Provenance


@dataclass(frozen=True)
class Meaning:
    """`label` names it above a table. `text` says what made the traffic. `proviso` is added to every comparison of a
    cell with the paper's, with a blank before it; `beside` says the same of all of them, in a sentence."""

    label: str
    text: str
    proviso: str = ""
    beside: str = ""


MEANINGS: Mapping[Provenance, Meaning] = {
    "modelled": Meaning(
        "modelled",
        "Modelled: an emulated bench made this traffic. It shows that the harness and the analysis work, and nothing "
        "about the real apps. The model follows the paper, so every comparison with it is by construction.",
        " (by construction)",
        "This traffic was modelled on the paper: agreement with it is by construction.",
    ),
    "rehearsed": Meaning(
        "rehearsed (calls of browsers, not of the apps)",
        "Rehearsed: real calls of Chromium (libwebrtc) through real NATs and a real TURN server in network namespaces; "
        "the handsets and their apps are emulated: nothing here is about the real apps.",
        " (rehearsed, not the app)",
        "The paper measured the apps, and browsers made these calls in their place: neither agreement nor difference "
        "says anything about an app.",
    ),
    "measured": Meaning("measured", "Measured: real phones made this traffic."),
}
