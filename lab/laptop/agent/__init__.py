"""The agent on the hotspot laptop: it owns the capture there and speaks JSON lines on its standard streams.

`ssh HOST python agent.pyz` starts it and carries the lines, so nothing listens. Standard library alone (Python 3.9);
the modules of this folder are packed into one file, which `invoke install-agent` copies.

A request is `{"op": NAME, ...}`, its answer `{"ok": VALUE}` or `{"error": TEXT}`, in order; the first is `hello` with
the bench's token. When the client goes, however it goes, what runs is stopped, its files are removed and the hotspot's
idle time-out is put back. What a killed agent or a reboot left is put in order by the next one, from `state.json`
beside the file; `-a duration:` stops a capture that has no agent left. Why it is built so:
docs/decisions/0004-agent.md. Which lines only Windows runs: docs/hardware-status.md.
"""
