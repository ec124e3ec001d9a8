import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { decodeText, readFileBytes } from "../../src/common/files/inputFile.ts";
import { UserError } from "../../src/common/userError.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareCached } from "../../src/data/prepare/cached.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { parseYamlText } from "../../src/formats/yaml.ts";
import { crossValidate } from "../../src/training/folds/crossValidate.ts";
import { intervalText } from "../../src/training/folds/foldReport.ts";
import { planSchema } from "../../src/training/folds/plan.ts";
import type { FoldSummary } from "../../src/training/folds/summarize.ts";

const studySchema = z.strictObject({
  name: z.string(),
  files: z.strictObject({
    table: z.string(),
    tree: z.string().optional(),
    repSeqs: z.string().optional(),
    metadata: z.string(),
  }),
  rarefyDepth: z.union([z.number(), z.enum(["auto", "none"])]).optional(),
  settings: planSchema,
});

interface Flags {
  data: string;
  output: string;
  workers: number;
  json: boolean;
}

export function makeCommand(): Command {
  return new Command("studies")
    .description("Cross-validate all predictors on a list of studies, and print one table")
    .argument("[list]", "YAML list of studies", join(import.meta.dir, "studies.yaml"))
    .requiredOption("--data <folder>", "where the studies' files are")
    .requiredOption("--output <folder>", "where results are kept; a second run goes on from there")
    .option("--workers <n>", "folds side by side", positiveWholeNumber, availableParallelism())
    .action(run);
}

async function run(list: string, { data, output, workers, json }: Flags): Promise<void> {
  const summaries: { name: string; summary: FoldSummary }[] = [];
  for (const [at, { name, files, rarefyDepth, settings }] of readStudies(list).entries()) {
    const paths = Object.fromEntries(Object.entries(files).map(([role, path]) => [role, join(data, path)]));
    const { folder } = await prepareCached(
      {
        ...(paths as { table: string; metadata: string }),
        rarefyDepth,
        metrics: files.tree === undefined ? undefined : ["unweighted", "faith_pd"],
      },
      join(output, "prepared"),
    );
    using dataset = openDataset(folder);
    const { summary } = await crossValidate({
      dataset,
      config: settings,
      output: join(output, `study-${at + 1}`),
      workers,
      resume: true,
      display: new ProgressDisplay("quiet"),
    });
    summaries.push({ name, summary });
  }
  console.log(json ? JSON.stringify(summaries) : summaries.map(tableOf).join("\n\n"));
}

function readStudies(path: string): z.infer<typeof studySchema>[] {
  try {
    return z.array(studySchema).parse(parseYamlText(decodeText(readFileBytes(path), path)));
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const said =
      cause instanceof z.ZodError ? z.prettifyError(cause).split("\n", 2).join(" ") : String(cause);
    throw new UserError(`${path} is no list of studies: ${said}; lab/bench/studies.yaml shows the form.`);
  }
}

/** Markdown. */
function tableOf({ name, summary }: { name: string; summary: FoldSummary }): string {
  const [deciding] = Object.keys(summary.predictors[0].figures);
  const rows = summary.predictors.map((one) => {
    const paired = summary.differences.find(
      ({ against, figure }) => against === one.name && figure === deciding,
    );
    const difference = paired ? `${intervalText(paired.difference)}, ${paired.verdict}` : "";
    const figures = Object.values(one.figures).map(intervalText);
    return `| ${[one.title, ...figures, one.coverage.value.toFixed(3), difference].join(" | ")} |`;
  });
  const head = ["", ...Object.keys(summary.predictors[0].figures), "coverage", `${summary.main} less this`];
  return [
    `### ${name}`,
    "",
    `${summary.samples} samples, ${summary.groups} groups; ${summary.split}.${summary.isReal ? "" : " No better than the median or the classes' shares."}`,
    "",
    `| ${head.join(" | ")} |`,
    `|${"---|".repeat(head.length)}`,
    ...rows,
  ].join("\n");
}
