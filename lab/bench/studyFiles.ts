import { join } from "node:path";
import { z } from "zod";
import { makeFolder, writeFileAtomic } from "../../src/common/files/atomicFile.ts";
import { quote } from "../../src/common/quote.ts";
import { Random } from "../../src/common/random/random.ts";
import { UserError } from "../../src/common/userError.ts";
import { columnType } from "../../src/data/metadata/columns.ts";
import { type Metadata, readMetadata } from "../../src/data/metadata/read.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import { delimitedText, type ResultColumn } from "../../src/training/targets/predictionTable.ts";

const filesSchema = z.strictObject({
  table: z.string(),
  tree: z.string().optional(),
  repSeqs: z.string().optional(),
  metadata: z.string(),
});
type StudyFiles = z.infer<typeof filesSchema>;

/** A column that the metadata lack: a part of the sample ids, or numbers that nothing can predict. */
const addedColumnSchema = z.union([
  z.strictObject({ fromId: z.string() }),
  z.strictObject({ noise: z.number().int().min(0) }),
]);

/** Where the samples of a study come from: files of the data folder, or a simulation. */
export const studySourceSchema = z.strictObject({
  files: filesSchema.optional(),
  simulate: z
    .strictObject({ samples: z.number(), asvs: z.number().optional(), seed: z.number().int().min(0) })
    .optional(),
  columns: z.record(z.string(), addedColumnSchema).default({}),
});

/**
 * Paths of a study's files: those of the folder `data`, or simulated ones, with added columns in a metadata
 * file of their own; what is made is written below `made`.
 * @throws UserError for ids in which a pattern finds nothing.
 */
export function studyFiles(
  { files, simulate: simulation, columns }: z.infer<typeof studySourceSchema>,
  data: string,
  made: string,
): StudyFiles {
  let paths: StudyFiles;
  if (simulation) {
    const { table, tree, metadata } = writeSimulation(made, simulate(simulation));
    paths = { table, tree, metadata };
  } else
    paths = filesSchema.parse(
      Object.fromEntries(Object.entries(files ?? {}).map(([role, path]) => [role, join(data, path)])),
    );
  if (Object.keys(columns).length === 0) return paths;
  const read = readMetadata(paths.metadata);
  makeFolder(made);
  const metadata = join(made, "metadata-with-columns.tsv");
  // The row of types is the first below the header.
  const all: ResultColumn[] = [
    { name: "sample-id", values: ["#q2:types", ...read.ids] },
    ...[...read.columns.values()].map((column) => ({
      name: column.name,
      values: [columnType(column), ...column.values.map((value) => value ?? "")],
    })),
    ...Object.entries(columns).map(([name, how]) => addedColumn(read, name, how)),
  ];
  writeFileAtomic(metadata, delimitedText(all, "\t"));
  return { ...paths, metadata };
}

function addedColumn(
  { source, ids }: Metadata,
  name: string,
  how: z.infer<typeof addedColumnSchema>,
): ResultColumn {
  if ("noise" in how) {
    const random = new Random(how.noise).derive("noise", name);
    return { name, values: ["numeric", ...ids.map(() => random.normal().toFixed(4))] };
  }
  const pattern = new RegExp(how.fromId);
  const values = ids.map((id) => {
    const found = pattern.exec(id)?.[1];
    if (found === undefined)
      throw new UserError(
        `${source}: the pattern ${quote(how.fromId)} of the column ${quote(name)} finds nothing in the sample id ${quote(id)}; give one whose first group is the value.`,
      );
    return found;
  });
  return { name, values: ["categorical", ...values] };
}
