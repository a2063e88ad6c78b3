"""The columns of tables/*.csv: the type of each and what it says. A column of one name is the same in every table."""

from collections.abc import Iterator
from dataclasses import dataclass

from correlate.tables.layout import FLAGS, Cell, Table


@dataclass(frozen=True)
class Column:
    """`kind` is what its cells hold, None aside; of a `list` they are JSON."""

    kind: type
    text: str


def _words(kind: type, /, **texts: str) -> dict[str, Column]:
    return {name: Column(kind, text) for name, text in texts.items()}


COLUMNS = {
    **_words(
        str,
        item="The paper's device beside which this one stands",
        name="Its name: of a phone in the bench file, of a server its host name",
        model="Model of the device",
        os="Its system",
        tools="What is on it for the trials",
        network="Label of its network",
        paper_model="The paper's model",
        paper_os="The paper's system",
        paper_tools="The paper's tools",
        paper_network="The paper's network",
        agreement="How ours stands to the paper's cell; empty where it has none",
        app="The app",
        package="Its package on Android",
        version="The versions that the phones had in the trials",
        services="The services that are called",
        revisions="How many trials ran with which revision of the YAML; empty where there is one",
        paper_version="The paper's version",
        paper_services="The paper's services",
        scenario="The scenario; empty in Tables 4 to 8: all of the paper's together",
        direction="Which phone calls which, by their networks; `all`: both directions together",
        measure="What is counted or compared",
        reason="Why a cell is null or undecided",
        address="The server's address",
        paper_address="The address as the paper has it",
        erratum="What is wrong with the paper's cell",
        cluster="The group of host names that are one server",
        caller_device="The phone that calls, by its number",
        service="The service that was called",
        volume="What is compared, where a table has two volumes",
        session="By which rule a session is the call (docs/dataset.md)",
        claim="The claim of the paper",
        section="The section of the paper that makes it",
        unit="What n and total count: `trials` or `cells`",
        quantifier="`always`: holds in every trial; `generally`: in more than half",
        control="The control, or why there is none",
        rule="What makes the claim hold in one trial",
        trial="The trial",
        side="The side whose capture shows it: `caller` or `callee`",
        phone="The phone of that side",
        kind="`server`: a session with a server of the call; `direct`: with the other phone",
        remote="The far end of the session",
        provenance="`modelled`, `rehearsed` or `measured`",
    ),
    **_words(
        bool,
        discriminates="Whether the claim tells true pairs from wrong ones",
        inferred="Whether the paper prints no such zero and what it says of the others implies it",
        holds="Whether it holds; empty where undecided trials could turn it",
        paper_claims="Whether the paper claims it for this app and scenario",
    ),
    **_words(
        int,
        n="How many of `total` trials hold, or have the session on both sides",
        total="How many trials the cell is of",
        undecided="Of how many nobody can tell",
        paper_n="The paper's n",
        paper_total="The paper's total",
        within_bound="How many of the n differences the clocks cannot tell from zero",
        wrong_pairs_n="How many decided wrong pairs satisfy the claim",
        wrong_pairs="How many wrong pairs are decided",
        wrong_pairs_undecided="Of how many wrong pairs nobody can tell",
        rank="Place among the sessions of its side, the longest first",
        packets="Packets both ways",
        bytes="Bytes of whole frames both ways",
        tx_packets="Packets that this side sent",
        rx_packets="Packets that this side received",
        tx_bytes="Bytes of whole frames that this side sent",
        rx_bytes="Bytes of whole frames that this side received",
    ),
    **_words(
        float,
        wilson_low="Lower end of the 95% interval of n/total, as if no undecided trial held",
        wilson_high="Upper end of the 95% interval of (n + undecided)/total, as if all did",
        difference="Ours less the paper's: of shares, or of medians",
        median="Median of the differences of both sides: Table 6 in s, 7 in packets, 8 in KB; normalised: a share",
        iqr="Their interquartile range",
        minimum="The least of them",
        maximum="The largest of them",
        signed_median="Median of caller less callee",
        paper_median="The paper's median",
        paper_iqr="The paper's interquartile range",
        paper_minimum="The paper's minimum",
        paper_maximum="The paper's maximum",
        likelihood_ratio="How much more often true pairs satisfy the claim than wrong pairs",
        likelihood_low="Lower end of its 95% interval",
        likelihood_high="Upper end of its 95% interval",
        duration_s="Last less first packet, in s, by the clock of this side",
    ),
    **_words(list, ports="UDP ports of the server, ascending", paper_ports="The ports of the app in the paper"),
}

KEYS: dict[str, tuple[str, ...]] = {
    "table1": ("item", "name"),
    "table2": ("app",),
    "table3": ("scenario", "app", "direction", "measure"),
    "table4": ("scenario", "app", "address"),
    "table5": ("scenario", "app", "name", "address"),
    "table6": ("scenario", "app", "caller_device", "service", "measure", "session"),
    "table7": ("scenario", "app", "caller_device", "service", "measure", "session"),
    "table8": ("scenario", "app", "caller_device", "service", "measure", "volume", "session"),
    "figure6": ("trial", "side", "rank"),
    "claims": ("claim", "app", "scenario"),
}
"""Which columns together name one row of a table. Figures 7 and 8 have none: two sessions may have one far end."""


def misfits(of: Table) -> Iterator[str]:
    """The cells of a table that are not of their column's kind, in words."""
    for row in of.rows:
        for name in of.columns:
            if not _fits(row.get(name), COLUMNS[name].kind):
                yield f"{of.name}.{name}: {row.get(name)!r}"


def _fits(cell: Cell, kind: type) -> bool:
    if cell is None or cell == "":
        return True
    if kind is float:
        return isinstance(cell, int | float)
    if kind is bool:
        return cell in FLAGS
    return isinstance(cell, str) and cell.startswith("[") if kind is list else isinstance(cell, kind)
