"""What does not reach a phone, or leave it, while a network or a call's relays are out."""

from dataclasses import dataclass, field

from lab.virtual.network.meaning import Meaning


@dataclass
class Outages:
    """The phones that are `cut_off` from all networks, and those whose calls get no answer of a relay (`unanswered`).

    What a phone sends to relays that do not answer still leaves it.
    """

    cut_off: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)

    def reaches(self, phone: str, meaning: Meaning) -> bool:
        """Whether a frame passes a phone's wire now."""
        if phone in self.cut_off:
            return False
        if meaning.outgoing or meaning.kind not in ("call", "direct"):
            return True
        if phone in self.unanswered and meaning.peer is None:
            return False
        # What the other phone would have sent: of a relay's own messages nothing is missing.
        others = bool((self.cut_off | self.unanswered) - {phone})
        return not (others and (meaning.kind == "direct" or meaning.inside is not None or meaning.is_media))
