import { categoryColours, inkColours } from "../plots/palette.ts";

/** The categories' colours that are too dark for the dark theme. */
const brighter: Readonly<Record<string, string>> = {
  [categoryColours[0]]: "#5f91e6",
  [categoryColours[3]]: "#c47795",
};

/** Colours of the page by the names of their CSS variables, in the light and in the dark theme. */
const colours: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  page: ["#f4f6f9", "#0f141b"],
  card: [inkColours.paper, "#171d26"],
  ink: [inkColours.ink, "#e8ecf2"],
  muted: [inkColours.muted, "#a0a9b8"],
  axis: [inkColours.axis, "#566072"],
  grid: [inkColours.grid, "#262e3a"],
  line: ["#dfe3ea", "#2a3240"],
  accent: ["#2e61b5", "#7ea6ea"],
  "accent-soft": ["#e8eff9", "#1d2a40"],
  warn: ["#8a5200", "#f3c577"],
  "warn-soft": ["#fdf3e1", "#2b2213"],
  "warn-line": ["#f0d29b", "#5a4520"],
  good: ["#17734f", "#6fcfa3"],
  ...Object.fromEntries(
    categoryColours.map((colour, i) => [`series-${i + 1}`, [colour, brighter[colour] ?? colour]]),
  ),
};

/** Plots are drawn for paper; these variables bring their colours to the theme of the page. */
const plotVariables = ["ink", "muted", "axis", "grid", "card", "series-1", "series-4"];

function variables(theme: "light" | "dark"): string {
  const values = Object.entries(colours).map(
    ([name, [light, dark]]) => `--${name}:${theme === "light" ? light : dark}`,
  );
  const shadow = theme === "light" ? "0 1px 2px rgb(20 30 50 / 6%)" : "none";
  return `${values.join(";")};--shadow:${shadow};color-scheme:${theme}`;
}

/** The page's colours: those of the system's theme unless the reader has chosen one; light on paper. */
export function themeStyle(): string {
  const dark = variables("dark");
  const plots = plotVariables.flatMap((name) =>
    ["fill", "stroke"].map(
      (property) => `.plot svg [${property}="${colours[name][0]}"]{${property}:var(--${name})}`,
    ),
  );
  return `:root{${variables("light")}}
@media screen and (prefers-color-scheme:dark){:root:not([data-theme="light"]){${dark}}}
@media screen{:root[data-theme="dark"]{${dark}}}
${plots.join("\n")}
`;
}
