import { createHash } from "node:crypto";
import { webFontBytes } from "../plots/fonts.ts";
import { escapeXml } from "../xmlText.ts";
import pageStyle from "./page.css" with { type: "text" };
import { pageScript } from "./pageScript.gen.ts";
import { themeStyle } from "./theme.ts";

export interface PageSection {
  readonly id: string;
  readonly title: string;
  /** HTML; a section without any is left out. */
  readonly body: string;
}

export interface PageInput {
  readonly title: string;
  /** One sentence below the title. */
  readonly subtitle?: string;
  /** HTML that follows in the page's head. */
  readonly lead?: string;
  readonly sections: readonly PageSection[];
  /** When it was made, ISO 8601. */
  readonly created: string;
}

/**
 * A page that is complete in itself: style, script and font are inside, and nothing is loaded from anywhere.
 */
export function pageHtml({ title, subtitle, lead = "", sections, created }: PageInput): string {
  const shown = sections.filter(({ body }) => body !== "");
  const links = shown.map(({ id, title: name }) => `<a href="#${id}">${escapeXml(name)}</a>`).join("\n");
  const bodies = shown.map(
    ({ id, title: name, body }) => `<section id="${id}"><h2>${escapeXml(name)}</h2>\n${body}\n</section>`,
  );
  // Nothing may be loaded, and no script may run but the one below, should escaping ever fail.
  const hash = createHash("sha256").update(pageScript).digest("base64");
  const policy = `default-src 'none'; style-src 'unsafe-inline'; font-src data:; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeXml(title)}</title>
<style>${fontFace()}${themeStyle()}${pageStyle}</style>
</head>
<body>
<header>
<h1>${escapeXml(title)}</h1>
${subtitle ? `<p class="subtitle">${escapeXml(subtitle)}</p>` : ""}
${lead}
</header>
<nav aria-label="Sections"><div>
<span class="links">${links}</span>
<button id="theme" type="button" title="Theme">◐ <span class="name"></span></button>
</div></nav>
<main>
${bodies.join("\n")}
</main>
<footer>Made ${escapeXml(created)} · this page is complete in itself: it loads nothing from anywhere.</footer>
<dialog aria-label="Enlarged plot"><form method="dialog"><button>Close</button></form><div class="plot"></div></dialog>
<div id="tip" hidden></div>
<script>${pageScript}</script>
</body>
</html>
`;
}

/**
 * The plots' font, so that labels are as wide as they were laid out and the page looks the same everywhere.
 */
function fontFace(): string {
  const source = `url(data:font/woff2;base64,${webFontBytes().toBase64()}) format("woff2")`;
  return `@font-face{font-family:Inter;font-weight:100 900;src:${source}}\n`;
}
