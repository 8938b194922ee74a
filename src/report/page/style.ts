// The style sheet of a report: system fonts, one column of text, light and dark.
import { PALETTE_CSS } from "../figures/chart.ts";

/** All CSS of a page; nothing is fetched. */
export const PAGE_CSS = `
:root{color-scheme:light dark;--bg:#ffffff;--fg:#1f2328;--soft:#59636e;--line:#d9dee4;--card:#f6f8fa;--accent:#3567c8}
@media(prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e6edf3;--soft:#9aa7b4;--line:#2c343d;--card:#171d24;--accent:#7ea6f5}}
${PALETTE_CSS}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:76rem;margin:0 auto;padding:2.5rem 1.5rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:3rem 0 .8rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .4rem}
h3.model{font-size:1.15rem;margin-top:2.4rem}
details{margin:.8rem 0}
summary{cursor:pointer}
p{max-width:46rem;margin:.4rem 0 1rem}
.lead{font-size:1.1rem;color:var(--soft)}
.note{color:var(--soft);font-size:.9rem}
.warning{border-left:3px solid #d9661f;padding:.3rem .9rem;background:var(--card);max-width:46rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.2rem,1fr));gap:.8rem;margin:1.5rem 0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem}
.tiles dt{color:var(--soft);font-size:.85rem}
.tiles dd{margin:.1rem 0 0;font-size:1.4rem;font-weight:600;font-variant-numeric:tabular-nums}
.tiles dl{margin:0}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));gap:2rem 2.5rem;margin:1.2rem 0}
figure{margin:0;min-width:0;max-width:42rem}
figure svg{display:block;width:100%;height:auto}
figcaption{color:var(--soft);font-size:.88rem;margin-top:.3rem}
.scroll{overflow-x:auto;margin:.8rem 0 1.2rem}
table{border-collapse:collapse;font-size:.93rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .9rem .35rem 0;text-align:left;white-space:nowrap}
th:not(:first-child),td{padding-left:.9rem}
thead th{color:var(--soft);font-weight:500;border-bottom:1px solid var(--line)}
tbody th{font-weight:500}
tbody tr+tr>*{border-top:1px solid color-mix(in srgb,var(--line) 55%,transparent)}
tr.sum>*{font-weight:650}
.n{text-align:right}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.1rem 2rem;margin:.8rem 0;font-size:.93rem}
.facts div{display:flex;justify-content:space-between;gap:1rem;border-bottom:1px solid color-mix(in srgb,var(--line) 55%,transparent);padding:.25rem 0}
.facts dt{color:var(--soft)}
.facts dd{margin:0;text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
@media print{body{font-size:11pt}h2{break-after:avoid}figure,table{break-inside:avoid}}
`;
