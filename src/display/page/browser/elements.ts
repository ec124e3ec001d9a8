/**
 * The one element in `root` that `selector` finds.
 * @throws if there is none of that type: the page was written wrongly.
 */
export function find<T extends Element>(root: ParentNode, selector: string, type: abstract new () => T): T {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`The page has no ${selector}.`);
  return found;
}

/** A new element with a text; texts never become HTML, so that a sample may be called anything. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  { className = "", text = "" }: { readonly className?: string; readonly text?: string } = {},
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

/** What a block of JSON in the page holds; undefined where the page has no such block. */
export function readData<T>(id: string): T | undefined {
  const text = document.getElementById(id)?.textContent;
  return text == null ? undefined : (JSON.parse(text) as T);
}
