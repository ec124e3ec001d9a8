import { find } from "./elements.ts";

/** Each plot's button shows the plot as large as the window. */
export function startEnlarging(): void {
  const dialog = find(document, "dialog", HTMLDialogElement);
  const tip = find(document, "#tip", HTMLElement);
  for (const button of document.querySelectorAll(".enlarge")) {
    button.addEventListener("click", () => {
      const pictures = [...(button.closest(".plot")?.querySelectorAll("svg") ?? [])];
      const copy = pictures.find((picture) => picture.getClientRects().length > 0)?.cloneNode(true);
      if (!(copy instanceof SVGElement)) return;
      copy.style.maxWidth = "";
      find(dialog, ".plot", HTMLElement).replaceChildren(copy);
      // What is outside the dialog lies below it.
      dialog.append(tip);
      dialog.showModal();
    });
  }
  dialog.addEventListener("close", () => document.body.append(tip));
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
}
