/** Links in the documentation lead to files and headings that there are, and tables have whole rows. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { projectFiles, projectRoot, readProjectText } from "../helpers/projectFiles.ts";

const pages = projectFiles().filter((file) => file.endsWith(".md") && !file.startsWith("packaging/"));

/** A page without its blocks of code, whose lines stay empty so that line numbers hold. */
function proseOf(text: string): string {
  return text.replace(/^```.*?^```/gms, (block) => block.replace(/[^\n]/g, ""));
}

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(text: string): Set<string> {
  const headings = [...proseOf(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replace(/\s/g, "-"),
    ),
  );
}

/** The relative links of a page that lead nowhere. */
function brokenLinks(page: string, text: string): string[] {
  const links = [...proseOf(text).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = ""]) => link);
  return links.filter((link) => {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(projectRoot, target))) return true;
    const own = path === "" ? text : target.endsWith(".md") ? (readProjectText(target) ?? "") : "";
    return anchor !== undefined && !anchorsOf(own).has(anchor);
  });
}

/** Lines of tables that have another number of cells than their header; a bar in code divides cells, too. */
function unevenRows(text: string): number[] {
  const lines = proseOf(text).split("\n");
  const cells = lines.map((line) =>
    line.startsWith("|") ? line.replaceAll("\\|", "").split("|").length - 2 : 0,
  );
  return cells.flatMap((count, index) => {
    const before = cells[index - 1] ?? 0;
    return count > 0 && before > 0 && count !== before ? [index + 1] : [];
  });
}

test("links and anchors resolve", () => {
  const ownText = "[a](nowhere.md) [b](#no) [c](data.md#no)\n# A: `b`, c\n[d](#a-b-c)";
  expect(brokenLinks("docs/data.md", ownText)).toEqual(["nowhere.md", "#no", "data.md#no"]);
  const texts = pages.map((page) => ({ page, text: readProjectText(page) ?? "" }));
  const broken = texts.flatMap(({ page, text }) => brokenLinks(page, text).map((link) => `${page}: ${link}`));
  expect(broken).toEqual([]);
});

test("rows of tables have as many cells as their header", () => {
  expect(unevenRows("| a | b |\n|---|---|\n| 1 | 2 |\n| 1 |\n")).toEqual([4]);
  const uneven = pages.flatMap((page) =>
    unevenRows(readProjectText(page) ?? "").map((line) => `${page}:${line}`),
  );
  expect(uneven).toEqual([]);
});
