"""The six dimensions of the paper's section 3.3, one file each.

Each module's `measure(pair)` is a pure function of a `CallPair`. It returns `Sided` frozen dataclasses: a field is a
column of `findings/NAME.csv`, None means that the wire does not tell; `reasons` says why of each such column, `reason`
all of it in words.
"""

from correlate.dimensions import duration, endpoints, servers, service, signalling, volume

DIMENSIONS = (
    ("endpoints", endpoints.measure),
    ("servers", servers.measure),
    ("duration", duration.measure),
    ("volume", volume.measure),
    ("service", service.measure),
    ("signalling", signalling.measure),
)
