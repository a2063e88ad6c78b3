"""The CSS of figures: classes that begin with `fg-`, colours by the page's variables alone."""

STYLE = """.fg-panels{display:flex;flex-wrap:wrap;gap:12px 20px;margin:8px 0}
.fg{display:block;flex:none;max-width:none}
.fg text{font:12px system-ui,"DejaVu Sans",sans-serif;fill:var(--soft)}
.fg .fg-t{fill:var(--ink)}
.fg .fg-b{fill:var(--ink);font-weight:600}
.fg .fg-on{fill:var(--paper);font-weight:600}
.fg .fg-hot{fill:var(--accent);font-weight:600}
.fg .fg-mono{font:12px ui-monospace,"DejaVu Sans Mono",monospace;fill:var(--ink);white-space:pre}
.fg-ax{stroke:var(--line);fill:none}
.fg-zero{stroke:var(--soft);stroke-dasharray:3 3;fill:none}
.fg-l{stroke:var(--soft);stroke-width:1.3;fill:none}
.fg-lk{stroke:var(--accent);stroke-width:2.4;fill:none}
.fg-thin{stroke:var(--soft);stroke-width:.7;fill:none}
.fg-d{fill:var(--ink);fill-opacity:.6}
.fg-o{fill:var(--paper);stroke:var(--soft);stroke-width:1.3}
.fg-u{fill:var(--paper);stroke:var(--ink);stroke-width:1.3;stroke-dasharray:2 2}
.fg-k{fill:var(--accent)}
.fg-all{fill:var(--accent);stroke:var(--accent);stroke-width:2.4}
.fg-some{fill:var(--tint);stroke:var(--accent);stroke-width:1.3}
.fg-none{fill:var(--paper);stroke:var(--line)}
.fg-open{fill:var(--paper);stroke:var(--soft);stroke-dasharray:3 3}
.fg-chance{fill:var(--wash);stroke:var(--soft);stroke-width:1.3}
.fg-good{fill:var(--soft)}
.fg-node{fill:var(--wash);stroke:var(--soft);stroke-width:1.3}
.fg-cap{fill:var(--ink)}
.fg-dash{stroke:var(--soft);stroke-width:1.3;stroke-dasharray:4 3;fill:none}
.fg a:hover>*,.fg a:focus>*{stroke:var(--link);stroke-width:3}
.fg a:hover>text,.fg a:focus>text{stroke:none;text-decoration:underline}
.fg-say{margin:4px 0;color:var(--ink)}
.fg-hex{font:12px/1.45 ui-monospace,"DejaVu Sans Mono",monospace;
background:var(--wash);border:1px solid var(--line);padding:8px;margin:4px 0;overflow-x:auto;
width:max-content;max-width:100%;color:var(--ink)}
.fg-head{margin:4px 0}
.fg-hit{background:var(--tint);color:var(--ink);font-weight:700;text-decoration:underline}
"""

LIGHT = (
    "--ink:#1d1d1b;--soft:#5c5a55;--line:#d9d5cc;--paper:#ffffff;--wash:#f6f3ee;--accent:#b3400a;--tint:#fbe3d6;"
    "--link:#1f4e8c"
)
DARK = (
    "--ink:#e8e6e1;--soft:#aba79f;--line:#3c3a36;--paper:#161513;--wash:#201f1c;--accent:#ff9d5c;--tint:#44240f;"
    "--link:#8ab8f0"
)


def alone() -> str:
    """The style of an SVG that stands alone: the page's colours, light and dark, and that of figures."""
    return f"svg{{{LIGHT};background:var(--paper)}}\n@media (prefers-color-scheme:dark){{svg{{{DARK}}}}}\n{STYLE}"
