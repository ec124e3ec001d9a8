import { categoryColours, inkColours } from "../plots/palette.ts";

/** Plots are drawn for paper; these rules bring their colours to the theme of the page. */
function plotRules(): string {
  const themed: Record<string, string> = {
    [inkColours.ink]: "--ink",
    [inkColours.muted]: "--muted",
    [inkColours.axis]: "--axis",
    [inkColours.grid]: "--grid",
    [inkColours.paper]: "--card",
    [categoryColours[0]]: "--series-1",
    [categoryColours[3]]: "--series-4",
  };
  return Object.entries(themed)
    .flatMap(([colour, variable]) =>
      ["fill", "stroke"].map(
        (property) => `.plot svg [${property}="${colour}"]{${property}:var(${variable})}`,
      ),
    )
    .join("\n");
}

const light = `
--page:#f4f6f9; --card:${inkColours.paper}; --ink:${inkColours.ink}; --muted:${inkColours.muted};
--axis:${inkColours.axis}; --grid:${inkColours.grid}; --line:#dfe3ea; --accent:#2e61b5; --accent-soft:#e8eff9;
--warn:#8a5200; --warn-soft:#fdf3e1; --warn-line:#f0d29b; --good:#17734f;
--series-1:${categoryColours[0]}; --series-4:${categoryColours[3]};
--shadow:0 1px 2px rgb(20 30 50 / 6%); color-scheme:light;`;

const dark = `
--page:#0f141b; --card:#171d26; --ink:#e8ecf2; --muted:#a0a9b8;
--axis:#566072; --grid:#262e3a; --line:#2a3240; --accent:#7ea6ea; --accent-soft:#1d2a40;
--warn:#f3c577; --warn-soft:#2b2213; --warn-line:#5a4520; --good:#6fcfa3;
--series-1:#5f91e6; --series-4:#c47795;
--shadow:none; color-scheme:dark;`;

export const reportStyle = `
:root{${light}}
@media (prefers-color-scheme:dark){:root:not([data-theme="light"]){${dark}}}
:root[data-theme="dark"]{${dark}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:4rem;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--page);color:var(--ink);
  font:15px/1.5 Inter,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
header,main,footer{max-width:1200px;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:clamp(1.5rem,1.1rem + 2vw,2.15rem);line-height:1.2;margin:0 0 .4rem;letter-spacing:-.015em;
  overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.4rem 0 .9rem;letter-spacing:-.01em}
p{margin:.4rem 0}
a{color:var(--accent)}
.subtitle{color:var(--muted);font-size:1.05rem;max-width:75ch;overflow-wrap:anywhere}
.chips{display:flex;flex-wrap:wrap;gap:.45rem;margin:1rem 0 0;padding:0;list-style:none}
.chips li{background:var(--card);border:1px solid var(--line);border-radius:99px;padding:.15rem .75rem;
  font-size:.87rem;color:var(--muted);overflow-wrap:anywhere}
.chips li.split{background:var(--accent-soft);border-color:transparent;color:var(--accent);font-weight:600}
nav{position:sticky;top:0;z-index:2;background:color-mix(in srgb,var(--page) 92%,transparent);
  backdrop-filter:blur(6px);border-bottom:1px solid var(--line);margin-top:1.4rem}
nav div{max-width:1200px;margin:0 auto;padding:.45rem 1.25rem;display:flex;gap:1.15rem;align-items:center}
nav .links{display:flex;gap:1.15rem;min-width:0;overflow-x:auto;scrollbar-width:none}
nav a{color:var(--muted);text-decoration:none;font-size:.92rem;white-space:nowrap}
nav a:hover{color:var(--ink)}
button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:8px;
  padding:.3rem .75rem;cursor:pointer}
button:hover:not(:disabled){border-color:var(--accent)}
button:disabled{opacity:.45;cursor:default}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
#theme{margin-left:auto;flex:none;font-size:.85rem;padding:.15rem .7rem;white-space:nowrap}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shadow)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:.9rem;margin:1.6rem 0 0}
.figure{padding:.9rem 1.1rem}
.figure .label{color:var(--muted);font-size:.87rem}
.figure .value{font-size:1.85rem;font-weight:650;letter-spacing:-.02em;line-height:1.25;overflow-wrap:anywhere;
  font-variant-numeric:tabular-nums}
.figure .unit{font-size:.95rem;font-weight:500;color:var(--muted);letter-spacing:0}
.figure .note{color:var(--muted);font-size:.83rem}
.warning{background:var(--warn-soft);border:1px solid var(--warn-line);color:var(--warn);border-radius:10px;
  padding:.6rem 1rem;margin:.9rem 0 0;overflow-wrap:anywhere}
.verdict{font-size:1.05rem;margin:0 0 .8rem}
.verdict b.good{color:var(--good)}
.verdict b.bad{color:var(--warn)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.5rem .9rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
tbody tr:last-child>*{border-bottom:0}
thead th{font-size:.85rem;color:var(--muted);font-weight:600;white-space:nowrap}
th.number,td.number{text-align:right;white-space:nowrap}
.comparison tbody th{font-weight:500}
.comparison .note{display:block;color:var(--muted);font-size:.83rem;font-weight:400}
.comparison tr.model>*{background:var(--accent-soft)}
.comparison tr.model th{font-weight:650}
.comparison td.best{font-weight:700}
.comparison td.best::after{content:" ★";color:var(--accent)}
.comparison td:not(.best)::after{content:" ★";visibility:hidden}
.comparison .spread{color:var(--muted);font-weight:400}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,500px),1fr));gap:1rem}
.plot{margin:0;padding:.4rem;position:relative;display:flex;flex-direction:column}
.plot.wide,.plot:nth-child(odd):has(+ .wide){grid-column:1/-1}
.plot .narrow{display:none}
.option{white-space:nowrap}
.plot svg{display:block;width:100%;height:auto;margin:0 auto}
.plot svg text{font-family:inherit}
.plot svg .mark-rect{shape-rendering:crispEdges}
.plot figcaption{color:var(--muted);font-size:.88rem;padding:0 1rem .7rem;overflow-wrap:anywhere}
.plot .enlarge{position:absolute;top:.6rem;right:.6rem;padding:.1rem .5rem;font-size:.8rem;opacity:0}
.plot:hover .enlarge,.plot .enlarge:focus-visible{opacity:1}
@media (hover:none){.plot .enlarge{opacity:1}}
dialog{border:1px solid var(--line);border-radius:14px;background:var(--card);color:var(--ink);padding:1rem;
  width:min(96vw,1500px);max-height:96vh}
dialog::backdrop{background:rgb(0 0 0 / 55%)}
dialog .plot svg{max-height:calc(96vh - 6rem)}
dialog form{text-align:right;margin:0}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:0 2.2rem;margin:0;
  padding:.4rem 1.1rem}
.facts div{display:flex;justify-content:space-between;gap:1.2rem;padding:.38rem 0;border-bottom:1px solid var(--line)}
.facts dt{color:var(--muted);overflow-wrap:anywhere}
.facts dd{margin:0;text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
details>summary{cursor:pointer;padding:.7rem 1.1rem;font-weight:600}
details>.facts{border-top:1px solid var(--line)}
details dd{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.86rem}
pre{margin:0;padding:.8rem 1.1rem;white-space:pre-wrap;overflow-wrap:anywhere;font:.86rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.tools{display:flex;flex-wrap:wrap;gap:.7rem;align-items:center;padding:.8rem .9rem;border-bottom:1px solid var(--line)}
.tools input{font:inherit;color:inherit;background:var(--page);border:1px solid var(--line);border-radius:8px;
  padding:.35rem .75rem;flex:1 1 200px;max-width:360px;min-width:0}
.tools output{color:var(--muted);font-size:.88rem}
.tools .pages{margin-left:auto;display:flex;gap:.4rem;align-items:center;font-size:.88rem;color:var(--muted)}
.samples th{padding:0;position:sticky;top:0;background:var(--card)}
.samples th button{border:0;background:none;border-radius:0;width:100%;padding:.5rem .9rem;text-align:inherit;
  font-weight:600;color:var(--muted);white-space:nowrap}
.samples th button:hover{color:var(--ink)}
.samples th[aria-sort] button{color:var(--accent)}
.samples th[aria-sort="ascending"] button::after{content:" ▲";font-size:.7em}
.samples th[aria-sort="descending"] button::after{content:" ▼";font-size:.7em}
.samples td{padding:.32rem .9rem;max-width:30ch;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.samples tbody tr:hover{background:var(--accent-soft)}
.samples td.error{background:linear-gradient(var(--series-1),var(--series-1)) no-repeat right bottom/var(--size,0%) 3px}
.muted{color:var(--muted)}
#tip{position:fixed;z-index:9;pointer-events:none;background:var(--ink);color:var(--page);padding:.3rem .6rem;
  border-radius:6px;font-size:.83rem;max-width:min(340px,80vw);overflow-wrap:anywhere}
footer{color:var(--muted);font-size:.85rem;padding-top:2.2rem;padding-bottom:3rem}
@media (max-width:560px){
  header,main,footer{padding-left:.8rem;padding-right:.8rem}
  nav div{padding-left:.8rem;padding-right:.8rem}
  .figures{grid-template-columns:1fr 1fr;gap:.6rem}
  .figure{padding:.7rem .8rem}
  .figure .value{font-size:1.45rem}
  th,td{padding:.45rem .6rem}
  .samples td{max-width:24ch}
  #theme .name{display:none}
  nav div,nav .links{gap:.8rem}
  .comparison tbody th{min-width:9rem}
  .plot .broad{display:none}
  .plot .narrow{display:block}
}
@media print{
  nav,.tools,.enlarge{display:none}
  body{background:#fff}
  .card,.plot{break-inside:avoid;box-shadow:none}
}
${plotRules()}
`;
