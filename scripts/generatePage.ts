/**
 * Writes src/display/page/pageScript.gen.ts, the script of report pages as one text, from
 * src/display/page/browser. Run it after a change there: `bun scripts/generatePage.ts`. The text is kept, as
 * neither an installed package nor a compiled program can bundle it.
 */
import { join } from "node:path";
import { writeFileAtomic } from "../src/common/files/atomicFile.ts";

const folder = join(import.meta.dir, "../src/display/page");

/** The content of pageScript.gen.ts. */
export async function generatePageScript(): Promise<string> {
  const { outputs, logs, success } = await Bun.build({
    entrypoints: [join(folder, "browser/main.ts")],
    target: "browser",
    format: "iife",
    minify: { whitespace: true, syntax: true, identifiers: false },
  });
  if (!success) throw new Error(`The page's script cannot be bundled: ${logs.join("\n")}`);
  // No text of a script may end its element.
  const script = (await outputs[0].text()).trim().replace(/<(?=\/script|!--)/gi, "\\x3c");
  return `/** Written by scripts/generatePage.ts from the files in browser/. Do not edit. */\nexport const pageScript = ${JSON.stringify(script)};\n`;
}

if (import.meta.main) {
  const target = join(folder, "pageScript.gen.ts");
  writeFileAtomic(target, await generatePageScript());
  console.log(target);
}
