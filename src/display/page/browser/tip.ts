import { find } from "./elements.ts";

const tip = () => find(document, "#tip", HTMLElement);

/** Shows the tip beside a place of the window (in pixels), inside the window's borders. */
export function showTip(x: number, y: number, ...content: readonly (Node | string)[]): void {
  const element = tip();
  element.replaceChildren(...content);
  element.hidden = false;
  const box = element.getBoundingClientRect();
  const left = x + 14 + box.width > innerWidth ? x - box.width - 10 : x + 14;
  element.style.left = `${Math.max(4, left)}px`;
  element.style.top = `${Math.max(4, Math.min(y + 14, innerHeight - box.height - 6))}px`;
}

export function hideTip(): void {
  tip().hidden = true;
}

/** The marks of plots are SVG elements that bear what they show as a label. */
export function startMarkTips(): void {
  document.addEventListener("pointermove", ({ target, clientX, clientY }) => {
    // Maps show tips of their own.
    if (!(target instanceof Element) || target.closest(".map")) return;
    const mark = target.closest("[aria-label][role='graphics-symbol']");
    if (mark?.closest(".plot")) showTip(clientX, clientY, mark.getAttribute("aria-label") ?? "");
    else hideTip();
  });
}
