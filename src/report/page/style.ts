// The style sheet of a report: system fonts, one column of text, light and dark.
import { PALETTE_CSS } from "../palette.ts";

/** All CSS of a page; nothing is fetched. */
export const PAGE_CSS = `
:root{color-scheme:light dark;--bg:#ffffff;--fg:#1f2328;--soft:#59636e;--line:#d9dee4;--card:#f6f8fa;--accent:#3567c8}
@media(prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e6edf3;--soft:#9aa7b4;--line:#2c343d;--card:#171d24;--accent:#7ea6f5}}
${PALETTE_CSS}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:76rem;margin:0 auto;padding:2.5rem 1.5rem 4rem}
@media(max-width:40rem){main{padding:1.5rem 1rem 3rem}}
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
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.8rem;margin:1.5rem 0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.7rem .8rem}
.tiles dt{color:var(--soft);font-size:.82rem}
.tiles dd{margin:.1rem 0 0;font-size:1.25rem;font-weight:600;font-variant-numeric:tabular-nums}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(32.5rem,100%),1fr));gap:2rem 2rem;margin:1.2rem 0}
figure{margin:0;min-width:0;max-width:40rem;container-type:inline-size}
figure svg{display:block;width:100%;height:auto}
figure .narrow{display:none;max-width:28rem}
@container(max-width:32.4rem){figure .wide{display:none}figure .narrow{display:block}}
figcaption{color:var(--soft);font-size:.88rem;margin-top:.3rem}
.scroll{overflow-x:auto;margin:.8rem 0 1.2rem}
.scroll:focus-visible,pre:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;font-size:.93rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .7rem .35rem 0;text-align:left;vertical-align:top;overflow-wrap:break-word}
th:not(:first-child),td:not(:first-child){padding-left:.7rem}
td{max-width:24rem}
tbody th{max-width:16rem}
tbody th,thead>tr>:first-child{position:sticky;left:0;background:var(--bg)}
thead>tr>*{color:var(--soft);font-weight:500;border-bottom:1px solid var(--line);vertical-align:bottom}
tbody th{font-weight:500}
tbody tr+tr>*{border-top:1px solid color-mix(in srgb,var(--line) 55%,transparent)}
tr.sum>*{font-weight:650}
.n{text-align:right}
td.n{white-space:nowrap}
.matrix td{min-width:2.6rem;text-align:right;background:color-mix(in srgb,var(--accent) calc(var(--share)*45%),transparent)}
.matrix td.right{outline:1px solid var(--soft);outline-offset:-2px}
.matrix thead th{text-align:right;vertical-align:bottom}
.matrix.many thead th span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:12rem}
td.example{min-width:18rem;max-width:34rem}
td.example .pair{display:block;color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.1rem 2rem;margin:.8rem 0;font-size:.93rem}
.facts div{display:flex;justify-content:space-between;gap:1rem;border-bottom:1px solid color-mix(in srgb,var(--line) 55%,transparent);padding:.25rem 0}
.facts dt{color:var(--soft)}
.facts dd{margin:0;text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
@media print{body{font-size:11pt}h2{break-after:avoid}figure,table{break-inside:avoid}}
`;
