/**
 * The QIIME 2 plugin's own tests, with a Python that is at hand; what needs QIIME 2 skips itself without
 * it.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { python } from "../helpers/checkArtifact.ts";
import { makeCommand } from "../helpers/commandLine.ts";
import { projectRoot, readProjectText } from "../helpers/projectFiles.ts";

const folder = join(projectRoot, "plugins/q2-aam");

test.skipIf(python === undefined)(
  "q2-aam passes its tests",
  () => {
    const { exitCode, stderr } = Bun.spawnSync([python ?? "", "-m", "unittest", "discover", "tests"], {
      cwd: folder,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    });
    expect({ exitCode, text: stderr.toString() }).toMatchObject({
      exitCode: 0,
      text: expect.stringMatching(/^OK/m),
    });
  },
  60_000,
);

test("the options that the plugin writes are those of the commands", async () => {
  const text = readProjectText("plugins/q2-aam/q2_aam/actions.py") ?? "";
  const expected: Record<string, string> = {
    unifrac: "table tree rep_seqs metric rarefy_depth seed output",
    pretrain: "table tree rep_seqs unifrac_metric encoder rarefy_depth max_minutes max_steps seed output",
    train:
      "table rep_seqs metadata metadata_column classifier no_classifier pretrained_encoder freeze_base " +
      "rarefy_depth max_minutes seed output",
    predict: "model table rep_seqs rarefy_depth output",
    evaluate: "model table tree rep_seqs metadata rarefy_depth output",
    report: "output",
  };
  for (const [name, options] of Object.entries(expected)) {
    expect(text).toContain(`"${name}"`);
    const known = (await makeCommand(name)).options.map(({ long }) => long);
    for (const option of options.split(" ")) {
      expect(text).toContain(option);
      expect(known).toContain(`--${option.replaceAll("_", "-")}`);
    }
  }
  // No keyword stands for an option that is not in the list above.
  const all = new Set(Object.values(expected).flatMap((options) => options.split(" ")));
  const calls = [
    ...text.matchAll(/(?:arguments|_trained|options\.update|dict)\(([^()]*(?:\([^()]*\)[^()]*)*)\)/g),
  ];
  const keywords = calls.flatMap(([, inside]) => [...inside.matchAll(/(\w+)=/g)].map(([, word]) => word));
  expect(keywords.length).toBeGreaterThan(20);
  expect(keywords.filter((word) => !all.has(word))).toEqual([]);
});
