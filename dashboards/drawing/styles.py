"""Style sheets of widgets, whose insides the page's own style does not reach; colours are those of ``page.css``."""

FIELD = """
:host { color: var(--ink); font: inherit; }
label { color: var(--soft); font-size: 12.5px; margin-bottom: 3px; }
.bk-input { color: var(--ink); background-color: var(--paper); border: 1px solid var(--edge); border-radius: 8px;
  height: 36px; font: inherit; font-size: 14px; padding: 0 10px; }
select:not([multiple]).bk-input { appearance: none; padding-right: 28px; background-repeat: no-repeat;
  background-image: linear-gradient(45deg, transparent 50%, var(--ink) 50%), linear-gradient(-45deg, transparent 50%, var(--ink) 50%);
  background-size: 5px 5px; background-position: right 16px center, right 11px center; }
select.bk-input option { color: var(--ink); background: var(--paper); }
.bk-input:focus, .bk-input:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; border-color: var(--link); }
.bk-input::placeholder { color: var(--soft); }
:host(.bk-invalid) .bk-input, .bk-input.bk-invalid { border-color: var(--alarm); }
"""

GROUP = """
:host { font: inherit; }
label { color: var(--soft); font-size: 12.5px; margin-bottom: 3px; }
.bk-btn-group { flex-wrap: wrap; }
:host .bk-btn-group > button.bk-btn { color: var(--ink); background: var(--paper); border: 1px solid var(--edge); font: inherit; font-size: 14px;
  height: 36px; padding: 0 12px; cursor: pointer; }
.bk-btn:first-child { border-radius: 8px 0 0 8px; }
.bk-btn:last-child { border-radius: 0 8px 8px 0; }
:host .bk-btn-group > button.bk-btn:hover { background: var(--panel); }
.bk-btn:focus:not(:focus-visible) { outline: none !important; }
:host .bk-btn-group > button.bk-btn.bk-active { background: var(--link); border-color: var(--link); color: var(--on-link); box-shadow: none !important; }
.bk-btn:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; z-index: 1; }
"""

TABS = """
:host { font: inherit; }
.bk-btn-group { gap: 4px; flex-wrap: wrap; }
.bk-btn { color: var(--soft); background: transparent; border: 0; border-bottom: 3px solid transparent; border-radius: 0;
  font: inherit; font-size: 16px; height: 44px; padding: 0 14px; cursor: pointer; }
.bk-btn:focus:not(:focus-visible) { outline: none !important; }
.bk-btn:hover { color: var(--ink); background: transparent; border-bottom-color: var(--edge); }
:host .bk-btn-group > button.bk-btn.bk-active { color: var(--ink); font-weight: 650; border-bottom-color: var(--link); background: transparent;
  box-shadow: none !important; }
.bk-btn:focus-visible { outline: 2px solid var(--link); outline-offset: -3px; border-radius: 8px; }
"""

CHECK = """
:host { color: var(--ink); font: inherit; font-size: 14px; }
input { accent-color: var(--link); width: 16px; height: 16px; }
label { color: var(--ink); font-size: 14px; }
input:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
"""

BUTTON = """
:host .bk-btn-group > button.bk-btn { color: var(--on-link); background: var(--link); border: 1px solid var(--link); border-radius: 8px; font: inherit;
  font-size: 14px; height: 36px; padding: 0 16px; cursor: pointer; }
:host .bk-btn-group > button.bk-btn[disabled] { opacity: .5; cursor: default; }
.bk-btn:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
"""

TEXT = """
:host { color: var(--ink); font: inherit; }
h2 { font-size: 21px; line-height: 1.3; margin: 0 0 4px; font-weight: 650; letter-spacing: -.01em; }
h3 { font-size: 16px; line-height: 1.35; margin: 0 0 2px; font-weight: 650; }
p { margin: 4px 0; max-width: 1000px; line-height: 1.5; }
.lead { font-size: 16px; }
.soft { color: var(--soft); font-size: 13.5px; }
.none { padding: 12px 14px; background: var(--panel); border-radius: 8px; border-left: 4px solid var(--edge); }
a { color: var(--link); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 10px; margin: 10px 0 4px;
  padding: 0; list-style: none; }
.cards li { padding: 9px 12px; background: var(--panel); border-radius: 8px; border-left: 5px solid var(--paint); }
.cards b { display: block; font-size: 21px; line-height: 1.35; font-variant-numeric: tabular-nums; }
.cards span { color: var(--soft); font-size: 13px; }
.takes { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
a.take { color: var(--ink); background: var(--paper); border: 1px solid var(--edge); border-radius: 8px; padding: 5px 13px;
  font-size: 13.5px; text-decoration: none; }
a.take:hover { border-color: var(--link); color: var(--link); }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.two { min-height: 44px; }
details { margin: 8px 0 0; }
summary { cursor: pointer; color: var(--link); font-size: 14px; padding: 4px 0; width: max-content; }
summary:focus-visible, pre:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
pre { margin: 6px 0 0; padding: 12px; background: var(--panel); border-radius: 8px; font-size: 13px; line-height: 1.5;
  overflow-x: auto; font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.scroll { overflow: auto; max-height: 560px; border: 1px solid var(--edge); border-radius: 8px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 13.5px; }
th, td { padding: 6px 10px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: var(--panel); font-weight: 600; white-space: nowrap; z-index: 1; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.k { white-space: nowrap; }
td.w { min-width: 200px; }
td.u { min-width: 340px; word-break: break-all; font-size: 12px; color: var(--soft); }
tr:last-child td { border-bottom: 0; }
.dot { display: inline-block; width: 10px; height: 10px; margin-right: 6px; border-radius: 50%; background: var(--paint); }
.job { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; padding: 10px 0; }
progress { width: 180px; height: 10px; accent-color: var(--link); }
.flags { margin: 6px 0; padding: 10px 14px; background: var(--panel); border-radius: 8px; border-left: 4px solid var(--alarm); font-size: 14px; }
.flags b { color: var(--alarm); }
mark { background: var(--mark); color: inherit; border-radius: 3px; }
"""
