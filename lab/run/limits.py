"""How far a phone's records may lie from what was done, for one phone and app."""

from correlate.dataset.record import Limits

DEFAULT = Limits(follow_s=1.5, late_s=5.0, apart_s=5.0, source="default")
"""Where nothing was measured on these phones with this app."""
