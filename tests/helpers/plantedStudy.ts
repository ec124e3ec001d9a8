import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../src/common/random/random.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";

export interface PlantedStudy {
  table: string;
  tree: string;
  metadata: string;
  taxonomy: string;
  /** The prepared data set. */
  folder: string;
}

const bases = "ACGT";
/** The sequence of an ASV: its number in base 4, long enough to be told apart. */
export const asvId = (asv: number) =>
  Array.from({ length: 12 }, (_, i) => bases[(asv >> (2 * (i % 4))) & 3]).join("") + "ACGTACGTACGT";

/**
 * A study whose carrying ASVs are known: `score` is 6 with ASV 0, 5 less with ASV 1 and a little noise;
 * `state` says whether ASV 0 is there; `noise` depends on nothing; `host` has three samples each, and
 * `study` two hosts in three.
 */
export async function plantedStudy(folder: string, samples = 60, asvs = 16): Promise<PlantedStudy> {
  mkdirSync(folder, { recursive: true });
  const random = new Random(11);
  const has = Array.from({ length: samples }, () => Array.from({ length: asvs }, () => random.float() < 0.5));
  const counts = has.map((own) => own.map((present) => (present ? 1 + random.integer(50) : 0)));
  const ids = Array.from({ length: samples }, (_, i) => `s${i}`);
  const paths = {
    table: join(folder, "table.tsv"),
    tree: join(folder, "tree.nwk"),
    metadata: join(folder, "metadata.tsv"),
    taxonomy: join(folder, "taxonomy.tsv"),
  };
  const row = (cells: readonly (string | number)[]) => `${cells.join("\t")}\n`;
  writeFileSync(
    paths.table,
    row(["#OTU ID", ...ids]) +
      Array.from({ length: asvs }, (_, asv) => row([asvId(asv), ...counts.map((own) => own[asv])])).join(""),
  );
  let tree = `${asvId(0)}:1`;
  for (let asv = 1; asv < asvs; asv++) tree = `(${tree},${asvId(asv)}:1):0.5`;
  writeFileSync(paths.tree, `${tree};\n`);
  writeFileSync(
    paths.metadata,
    row(["sample-id", "score", "state", "noise", "host", "study"]) +
      ids
        .map((id, i) => {
          const score = 10 + 6 * Number(has[i][0]) - 5 * Number(has[i][1]) + 0.3 * random.normal();
          const state = has[i][0] ? "ill" : "well";
          const host = Math.floor(i / 3);
          return row([
            id,
            score.toFixed(3),
            state,
            random.normal().toFixed(3),
            `h${host}`,
            `study${host % 3}`,
          ]);
        })
        .join(""),
  );
  writeFileSync(
    paths.taxonomy,
    row(["Feature ID", "Taxon"]) +
      Array.from({ length: asvs }, (_, asv) => row([asvId(asv), `k__Bacteria; g__Genus${asv}`])).join(""),
  );
  const prepared = join(folder, "set");
  const { table, metadata } = paths;
  const given = { table, metadata, tree: paths.tree, metrics: ["unweighted", "faith_pd"] as const };
  await prepareDataset({ ...given, rarefyDepth: "none" }, prepared);
  return { ...paths, folder: prepared };
}
