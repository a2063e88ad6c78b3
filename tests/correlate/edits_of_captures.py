"""The edits of captures and records, each with its right answer: the call is what it was, the files are not."""

from tests.correlate import editing_captures as captures
from tests.correlate.edited import EXPOSED
from tests.correlate.editing import everywhere, observed, on
from tests.correlate.edits_of_calls import (
    AGAIN,
    ANY,
    CALL,
    CANCELLED,
    DIRECT,
    NOT_A_CALL,
    OTHER_APP,
    OTHER_MEDIA,
    RELAYED,
    Edited,
    real,
)

NOTHING = dict.fromkeys(("established", "routing", "service")) | dict.fromkeys(
    ("user_ids", *EXPOSED, *OTHER_MEDIA), ANY
)
"""Nothing can be known of a call that is in none, or in one of both captures."""

ANYTHING = {"routing": ANY, "service": ANY}
"""Of a conversation without an answer the wire tells what it tells; the tables believe neither."""

FILES = (
    Edited(
        "another app's captures are in place of this call's",
        RELAYED,
        captures.captures_of(OTHER_APP),
        (),
        NOTHING,
        "mixed_up",
    ),
    Edited(
        "another app's capture is in place of the caller's",
        RELAYED,
        captures.captures_of(OTHER_APP, "caller"),
        (),
        NOTHING,
        "mixed_up",
    ),
    Edited(
        "another call's capture is in place of the callee's",
        RELAYED,
        captures.captures_of(AGAIN, "callee"),
        (),
        NOTHING,
        "mixed_up",
    ),
    Edited("the two files are swapped", RELAYED, captures.exchanged, (), flag="mixed_up", quick=True),
    Edited("the caller's file is there twice", RELAYED, captures.one_file("caller"), (), NOTHING, "mixed_up"),
    Edited("one capture is there as two files", DIRECT, captures.one_capture_as_two("caller"), (), NOTHING, "mixed_up"),
    real("two real files are swapped", "p2p_video_a", captures.exchanged, (), flag="mixed_up"),
    real(
        "one real capture is there as two files",
        "relay_voice_a",
        captures.one_capture_as_two("callee"),
        (),
        changes=NOTHING,
        flag="mixed_up",
    ),
    real(
        "another real call's capture is in place of the callee's",
        "p2p_voice_b",
        captures.captures_of("sym_video_lte443", "callee"),
        (),
        changes=NOTHING,
        flag="mixed_up",
    ),
    real(
        "a real capture stopped in the middle of the call",
        "relay_voice_a",
        on("callee", captures.cut_end(0.5)),
        (*CALL, "user_ids"),
        changes=OTHER_MEDIA,
    ),
    real(
        "a real capture began in the middle of the call",
        "p2p_video_a",
        on("caller", captures.cut_begin(0.4)),
        CALL,
        changes=dict.fromkeys((*EXPOSED, "duration"), ANY),
    ),
    real(
        "a real relayed capture began in the middle",
        "relay_voice_a",
        on("caller", captures.cut_begin(0.4)),
        CALL,
        changes=OTHER_MEDIA,
    ),
    Edited("both captures kept 96 bytes of each frame", RELAYED, on("both", captures.snapped(96)), (*CALL, "service")),
    real(
        "both captures kept 96 bytes of each frame, which is half of TURN over TCP",
        "tcp_all_voice",
        on("both", captures.snapped(96)),
        ("user_ids",),
        changes=dict.fromkeys((*EXPOSED, "duration"), ANY),
    ),
    Edited("a capture lost a fifth of the media", RELAYED, on("callee", captures.lossy(0.2)), changes={"media": ANY}),
    Edited("the caller's capture has every frame twice", RELAYED, on("caller", captures.twice), CALL),
    Edited(
        "a clock is set on by ten seconds in the call",
        RELAYED,
        on("callee", captures.stepped(10, 0.5)),
        (*CALL, "user_ids", *EXPOSED),
        {"duration": ANY},
    ),
    Edited(
        "a clock is ten seconds off, and nobody compared it",
        RELAYED,
        everywhere(on("callee", captures.moved_by(10)), captures.clocks_unknown("caller", "callee", "laptop")),
        (*CALL, "service", "user_ids"),
    ),
    Edited(
        "the caller's begin marker came in the middle of the call",
        RELAYED,
        on("caller", captures.marker_at(" begin", 0.4)),
        CALL,
        dict.fromkeys((*EXPOSED, *OTHER_MEDIA), ANY),
    ),
    Edited(
        "the caller's end marker came before the answer",
        RELAYED,
        on("caller", captures.marker_at(" end", 0.003)),
        (),
        {**NOT_A_CALL, **dict.fromkeys(("user_ids", *EXPOSED), ANY)},
    ),
    Edited("times run backwards, by which the files are damaged", DIRECT, on("both", captures.shuffled), ()),
)

PHONES = (
    Edited(
        "a relayed call was not answered by what the phones showed",
        RELAYED,
        observed("caller_cancels"),
        (),
        ANYTHING,
        "contradiction",
    ),
    real(
        "a real call was not answered by the list",
        "mdns_real_voice",
        observed("callee_rejects"),
        (),
        changes=ANYTHING,
        flag="contradiction",
    ),
    Edited(
        "a cancelled call was answered by what the phones showed",
        CANCELLED,
        observed("caller_hangs_up"),
        EXPOSED,
        NOT_A_CALL,
        "contradiction",
    ),
    real(
        "a real cancelled call was answered by the list",
        "cancel_probe_voice",
        observed("callee_hangs_up"),
        EXPOSED,
        changes=NOT_A_CALL,
        flag="contradiction",
    ),
)

EDITS = (*FILES, *PHONES)
"""Of captures and of what was written down; those of calls are in `edits_of_calls`."""
