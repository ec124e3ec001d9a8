/**
 * The defects of the original AAM in docs/from-pytorch-aam.md: each is shown to be absent by tests
 * whose titles have its number.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Glob } from "bun";

const root = resolve(import.meta.dir, "../..");
const page = readFileSync(join(root, "docs/from-pytorch-aam.md"), "utf8");
const numbers = Array.from({ length: 43 }, (_, i) => i + 1);

/** Those that no test can show, and why. */
const doNotApply = new Map([[34, "there is one process and one device"]]);

interface Shown {
  path: string;
  title: string;
}

/** Tests with titles like `B7: ...` or `B11, B12: ...`, by number. */
const shownBy = new Map<number, Shown[]>();
for (const path of new Glob("tests/**/*.test.ts").scanSync({ cwd: root })) {
  // A title is the first text of a test, or of a case of several.
  const titles = readFileSync(join(root, path), "utf8").matchAll(/[([]\s*(["`])(B\d+(?:, B\d+)*): (.+?)\1,/g);
  for (const [, , list, title] of titles) {
    for (const word of list.split(", ")) {
      const number = Number(word.slice(1));
      shownBy.set(number, [...(shownBy.get(number) ?? []), { path, title }]);
    }
  }
}

/** The page's rows: number, what goes wrong, and what shows that it does not here. */
const rows = new Map(
  [...page.matchAll(/^\| B(\d+) \| (.+?) \| (.+?) \|$/gm)].map(([, number, wrong, shown]) => [
    Number(number),
    { wrong, shown },
  ]),
);

test("each of the 43 has a test by its number, or a reason why it has none", () => {
  expect(numbers.filter((number) => !shownBy.has(number))).toEqual([...doNotApply.keys()]);
  expect([...shownBy.keys()].filter((number) => !numbers.includes(number))).toEqual([]);
});

test("the page has a line on each, with a test that is there, or the reason", () => {
  expect([...rows.keys()]).toEqual(numbers);
  for (const number of numbers) {
    const { shown } = rows.get(number)!;
    const why = doNotApply.get(number);
    if (why !== undefined) {
      expect(shown).toBe("does not apply");
      expect(page).toContain(why);
    } else {
      const names = shownBy
        .get(number)!
        .map(({ path, title }) => `\`${path}\`: ${title.replace("%s", "...")}`);
      expect(names).toContain(shown);
    }
  }
});
