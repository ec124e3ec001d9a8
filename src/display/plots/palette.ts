/**
 * Colours for categories, in order of use. Found by a search for seven hues that stay apart (at least 0.095
 * in Oklab) with normal sight and with protan, deutan and tritan sight as simulated by Machado et al. (2009),
 * and that stand out from white and from the report's dark background (contrast at least 2.15 and 2.7).
 */
export const categoryColours = [
  "#2e61b5",
  "#ec920a",
  "#65bfaa",
  "#954a68",
  "#3394ab",
  "#d45f53",
  "#ca95ee",
] as const;

export const trainColour = categoryColours[0];
export const validationColour = categoryColours[1];

/** What is left over when there are more categories than colours, and values that are missing. */
export const otherColour = "#9aa1ac";

/** Colours of text and lines. The report replaces them by those of its light or dark theme. */
export const inkColours = {
  ink: "#1b2230",
  muted: "#5b6472",
  axis: "#a6adb8",
  grid: "#e7eaef",
  paper: "#ffffff",
} as const;

/**
 * From low to high: even to the eye, also for colour-blind ones. The ends are left out, as they come too
 * close to a dark and a white background.
 */
export const sequentialScheme = { name: "viridis", extent: [0.2, 0.95] } as const;

/** `sequentialScheme` at nine even steps, for what is not drawn by Vega. */
export const sequentialColours = [
  "#414487",
  "#365e8d",
  "#2b758e",
  "#228c8e",
  "#20a287",
  "#36b879",
  "#64cb5e",
  "#9eda3a",
  "#dee41b",
] as const;
