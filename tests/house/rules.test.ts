import { expect, test } from "bun:test";
import { findLines, projectFiles, projectRoot } from "../helpers/projectFiles.ts";

const files = projectFiles();
const code = files.filter((name) => /\.(ts|mjs)$/.test(name) && name !== "tests/house/rules.test.ts");

test("nothing draws from an unseeded generator", () => {
  expect(findLines(code, /\bMath\.random\b/)).toEqual([]);
});

test("the rule against `any` is not switched off anywhere", async () => {
  const settings = await Bun.file(`${projectRoot}/biome.json`).json();
  expect(settings.linter.rules.suspicious.noExplicitAny).toBe("error");
  expect(findLines(code, /biome-ignore[^:]*noExplicitAny|@ts-(ignore|nocheck)/)).toEqual([]);
});

test("comments end at column 110, as code does", () => {
  // One that only a web address makes longer is left whole.
  const long = /^(?!.*https?:\/\/\S{40})(?=.{111})(\s*(\/\/|\/?\*)|.*[;,{}()[\]] \/\/ )/u;
  const sentence = "what is said here ".repeat(8);
  for (const start of ["// ", " * ", "  /** ", "const a = f(); // "]) expect(start + sentence).toMatch(long);
  expect(`const text = "${sentence}";`).not.toMatch(long);
  const own = files.filter((name) => /\.(ts|mjs|cpp|h|hpp)$/.test(name) && !/\.gen\.|fixtures/.test(name));
  expect(findLines(own, long)).toEqual([]);
});

test("no file names a folder of a developer's machine", () => {
  const folders = ["work", "root", "tmp", "home", "Users"].join("|");
  const pattern = new RegExp(`(^|[\\s"'\`(=:\\[])/(${folders})/`);
  expect(`see /${"tmp"}/x`).toMatch(pattern);
  expect("a path such as shared/tmp/x").not.toMatch(pattern);
  expect(findLines(files, pattern)).toEqual([]);
});

test("no file names the host of a package registry", () => {
  const hosts = ["npmjs", "pypi", "pythonhosted", "yarnpkg", "npmmirror"].map(
    (name) => `${name}\\.(org|com)`,
  );
  const pattern = new RegExp([...hosts, '^\\s*"resolved":'].join("|"));
  expect(`https://${"pypi"}.org/simple`).toMatch(pattern);
  expect(findLines(files, pattern)).toEqual([]);
});

test("only one function starts the program that runs, which is another program once it is compiled", () => {
  // The trials are part of no program: they are run from their sources alone.
  const own = code.filter((name) => /^(src|lab\/(?!trials\/))/.test(name));
  const places = findLines(own, /^(?!\s*\*).*(\bprocess\.execPath|\bargv0|\bargv\[0\]|\bfork\()/);
  expect(places.map((place) => place.replace(/:\d+$/, "")).sort()).toEqual([
    "src/common/bunProcess.ts",
    "src/torch/setup/findShim.ts", // looks for modules beside it
    "src/torch/tools/doctor.ts", // names it in its answer
  ]);
});
