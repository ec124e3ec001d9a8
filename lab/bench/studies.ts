import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { decodeText, readFileBytes } from "../../src/common/files/inputFile.ts";
import { quote } from "../../src/common/quote.ts";
import { UserError } from "../../src/common/userError.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareCached } from "../../src/data/prepare/cached.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { parseYamlText } from "../../src/formats/yaml.ts";
import { crossValidate } from "../../src/training/folds/crossValidate.ts";
import { planSchema } from "../../src/training/folds/plan.ts";
import { studyFiles, studySourceSchema } from "./studyFiles.ts";
import { type NamedSummary, overviewTable, studyTable } from "./studyTables.ts";

const studySchema = studySourceSchema
  .extend({
    /** Its results' folder is named after it. */
    name: z.string().min(1),
    rarefyDepth: z.union([z.number(), z.enum(["auto", "none"])]).optional(),
    settings: planSchema,
  })
  .refine(({ files, simulate }) => (files === undefined) !== (simulate === undefined), {
    message: "a study has either files or simulate",
  });
const listSchema = z
  .array(studySchema)
  .refine((studies) => new Set(studies.map(({ name }) => folderName(name))).size === studies.length, {
    message: "two studies have the same name",
  });
type BenchStudy = z.infer<typeof studySchema>;

interface Flags {
  data: string;
  output: string;
  only?: string;
  workers: number;
  json: boolean;
}

export function makeCommand(): Command {
  return new Command("studies")
    .description("Cross-validate all predictors on a list of studies: a table of each, and one of all")
    .argument("[list]", "YAML list of studies", join(import.meta.dir, "studies.yaml"))
    .requiredOption("--data <folder>", "where the studies' files are")
    .requiredOption("--output <folder>", "where results are kept; a second run goes on from there")
    .option("--only <text>", "only studies with this in their name, in capitals or not")
    .option("--workers <n>", "folds side by side", positiveWholeNumber, availableParallelism())
    .action(run);
}

async function run(list: string, { data, output, only, workers, json }: Flags): Promise<void> {
  const summaries: NamedSummary[] = [];
  for (const study of chooseStudies(readStudies(list), list, only)) {
    const { name, rarefyDepth, settings } = study;
    const files = studyFiles(study, data, join(output, "made", folderName(name)));
    const { folder } = await prepareCached(
      {
        ...files,
        rarefyDepth,
        metrics: files.tree === undefined ? undefined : ["unweighted", "faith_pd"],
      },
      join(output, "prepared"),
    );
    using dataset = openDataset(folder);
    const { summary } = await crossValidate({
      dataset,
      config: settings,
      output: join(output, folderName(name)),
      workers,
      resume: true,
      display: new ProgressDisplay("quiet"),
    });
    summaries.push({ name, summary });
  }
  console.log(
    json ? JSON.stringify(summaries) : [...summaries.map(studyTable), overviewTable(summaries)].join("\n\n"),
  );
}

function readStudies(path: string): BenchStudy[] {
  try {
    return listSchema.parse(parseYamlText(decodeText(readFileBytes(path), path)));
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const said =
      cause instanceof z.ZodError ? z.prettifyError(cause).split("\n", 2).join(" ") : String(cause);
    throw new UserError(`${path} is no list of studies: ${said}; lab/bench/studies.yaml shows the form.`);
  }
}

function chooseStudies(studies: readonly BenchStudy[], list: string, only = ""): readonly BenchStudy[] {
  const chosen = studies.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()));
  if (chosen.length > 0) return chosen;
  const names = studies.map(({ name }) => quote(name)).join(", ");
  throw new UserError(`No study of ${list} has ${quote(only)} in its name; it has ${names}.`);
}

/** `oral-age-random-folds` */
function folderName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}
