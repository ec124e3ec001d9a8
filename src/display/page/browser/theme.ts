import { find } from "./elements.ts";

const themes = ["auto", "light", "dark"] as const;
type Theme = (typeof themes)[number];

/** Pages from the disk may have no storage. */
function remembered(): Theme {
  try {
    return themes.find((theme) => theme === localStorage.getItem("theme")) ?? "auto";
  } catch {
    return "auto";
  }
}

/**
 * The button that goes through the themes; `changed` is called when colours change, also by the system or for
 * paper.
 */
export function startTheme(changed: () => void): void {
  const button = find(document, "#theme", HTMLButtonElement);
  const name = find(button, ".name", HTMLElement);
  let theme = remembered();
  const show = () => {
    const root = document.documentElement;
    if (theme === "auto") delete root.dataset["theme"];
    else root.dataset["theme"] = theme;
    name.textContent = `Theme: ${theme}`;
    changed();
  };
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // It is chosen for this view only.
    }
    show();
  });
  for (const query of ["(prefers-color-scheme: dark)", "print"])
    matchMedia(query).addEventListener("change", changed);
  show();
}
