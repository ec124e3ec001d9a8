import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { checkedWhole } from "../../common/checkedWhole.ts";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { FolderLock } from "../../common/files/folderLock.ts";
import { isFolder } from "../../common/files/inputFile.ts";
import type { ReportProgress } from "../../common/progress.ts";
import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";
import { selectSamples } from "../table/select.ts";
import type { Table } from "../table/table.ts";
import { writeBiom } from "../table/writeBiom.ts";
import type { Tree } from "../tree/tree.ts";
import { writeNewick } from "../tree/writeNewick.ts";
import type { SimulatedSample } from "./communities.ts";
import { simulateCommunities } from "./communities.ts";
import { simulatePhylogeny, tipsOf } from "./phylogeny.ts";
import { simulateSequences } from "./sequences.ts";

export interface SimulateOptions {
  /** Default 300. */
  readonly samples?: number;
  /** Tips of the tree; ASVs that no sample has are left out of the table. Default 600. */
  readonly asvs?: number;
  /** Mean reads of a sample. Default 5000. */
  readonly depth?: number;
  /** Draws that decide which ASVs a sample has; it ends up with somewhat fewer. Default 80. */
  readonly richness?: number;
  /** Bases of a sequence. Default 150. */
  readonly length?: number;
  /** Let insertions and deletions vary the length. Default false. */
  readonly varyLength?: boolean;
  /** Default 0. */
  readonly seed?: number;
  readonly onProgress?: ReportProgress;
}

/** A simulated study: what a table, a tree and a metadata file hold. */
export interface Simulation {
  /** Ids are the sequences; the most abundant ASVs come first. */
  readonly table: Table;
  /** Tips are named by their sequences, the root "simulated". */
  readonly tree: Tree;
  readonly samples: readonly SimulatedSample[];
  /** One sentence that says that this is simulated, and with which options. */
  readonly notice: string;
}

/** Mean substitutions per site from the root to a tip: about that of the bacteria's 16S genes. */
const treeDepth = 0.35;

/**
 * Simulates a study (see `simulatePhylogeny`, `simulateSequences` and `simulateCommunities`). The same
 * options give the same study.
 * @throws UserError for options that make no sense.
 */
export function simulate(options: SimulateOptions = {}): Simulation {
  const {
    samples = 300,
    asvs = 600,
    depth = 5000,
    richness = 80,
    length = 150,
    varyLength = false,
    seed = 0,
    onProgress,
  } = options;
  for (const [name, value] of Object.entries({ samples, asvs, depth, richness, length }))
    checkedWhole(name, value, 1);
  if (4 ** Math.min(length, 20) < 20 * asvs) {
    throw new UserError(
      `Sequences of ${length} bases are too short for ${asvs} different ASVs; make them longer.`,
    );
  }
  const random = new Random(seed);
  const bare = simulatePhylogeny(asvs, treeDepth, random.derive("phylogeny"));
  const tips = tipsOf(bare);
  const sequences = simulateSequences(bare, tips, { length, varyLength }, random.derive("sequences"));
  const communities = simulateCommunities(
    bare,
    tips,
    { samples, depth, richness, onProgress },
    random.derive("communities"),
  );
  const names = [...bare.names];
  tips.forEach((tip, asv) => {
    names[tip] = sequences[asv];
  });
  names[0] = "simulated";
  return {
    table: nameAsvs(communities.table, sequences),
    tree: { ...bare, names },
    samples: communities.samples,
    notice:
      `Simulated by ${packageJson.name} ${packageJson.version}, not measured: ${samples} samples, ${asvs} ASVs, ` +
      `depth ${depth}, richness ${richness}, length ${length}${varyLength ? " (varied)" : ""}, seed ${seed}.`,
  };
}

/** Names ASVs by their sequences, leaves out those that no sample has and puts the most abundant first. */
function nameAsvs(table: Table, sequences: readonly string[]): Table {
  const totals = new Float64Array(sequences.length);
  table.indices.forEach((asv, i) => {
    totals[asv] += table.data[i];
  });
  const order = Array.from(totals.keys())
    .filter((asv) => totals[asv] > 0)
    .sort((a, b) => totals[b] - totals[a] || a - b);
  const rank = new Int32Array(sequences.length);
  order.forEach((asv, i) => {
    rank[asv] = i;
  });
  const indices = new Int32Array(table.indices.length);
  const data = new Float64Array(table.data.length);
  for (let sample = 0; sample < table.sampleIds.length; sample++) {
    const [start, end] = [table.indptr[sample], table.indptr[sample + 1]];
    const entries = Array.from({ length: end - start }, (_, i) => start + i);
    entries.sort((a, b) => rank[table.indices[a]] - rank[table.indices[b]]);
    entries.forEach((entry, i) => {
      indices[start + i] = rank[table.indices[entry]];
      data[start + i] = table.data[entry];
    });
  }
  return { ...table, asvIds: order.map((asv) => sequences[asv]), indices, data };
}

/** Paths of the files of a simulated study. */
export interface SimulatedFiles {
  /** Of the first part, where there are several. */
  readonly table: string;
  readonly tree: string;
  readonly metadata: string;
  /** Of all parts. */
  readonly tables: readonly string[];
}

/**
 * Writes a simulated study into a folder: `table.biom` (BIOM 2.1), `tree.nwk` and `metadata.tsv` (columns
 * `ph`, `site` and `plot`). With several parts each table, `table-1.biom` and so on, holds some of the
 * samples, for what is read and merged again. That it is simulated stands in the table's id, the name of the
 * tree's root and the metadata's first line.
 */
export function writeSimulation(folder: string, simulation: Simulation, parts = 1): SimulatedFiles {
  using _lock = FolderLock.acquire(folder);
  const { table } = simulation;
  const samples = table.sampleIds.length;
  if (!Number.isInteger(parts) || parts < 1 || parts > samples)
    throw new UserError(
      `The option parts must be a whole number from 1 to the ${samples} samples, got ${parts}.`,
    );
  const tables = Array.from({ length: parts }, (_, part) =>
    join(folder, parts === 1 ? "table.biom" : `table-${part + 1}.biom`),
  );
  const files = {
    table: tables[0],
    tables,
    tree: join(folder, "tree.nwk"),
    metadata: join(folder, "metadata.tsv"),
  };
  refuseOthers(files);
  // First, as it says whose folder this is.
  const rows = simulation.samples.map(({ id, ph, site, plot }) => `${id}\t${ph}\t${site}\t${plot}\n`);
  writeFileAtomic(files.metadata, `# ${simulation.notice}\nsample-id\tph\tsite\tplot\n${rows.join("")}`);
  try {
    writeTablesAndTree(simulation, files);
  } catch (error) {
    // A study that is not whole is of no use, nor is an earlier one with these metadata.
    for (const path of [...tables, files.tree, files.metadata])
      if (!isFolder(path)) rmSync(path, { force: true });
    throw error;
  }
  return files;
}

function writeTablesAndTree({ table, tree, notice }: Simulation, files: SimulatedFiles): void {
  const samples = table.sampleIds.length;
  const parts = files.tables.length;
  // A fixed date, so that the same options give the same bytes.
  const options = { tableId: notice, creationDate: new Date(0) };
  for (const [part, path] of files.tables.entries()) {
    const from = Math.floor((part * samples) / parts);
    const own = Math.floor(((part + 1) * samples) / parts) - from;
    const chosen = Array.from({ length: own }, (_, i) => from + i);
    writeBiom(path, parts === 1 ? table : selectSamples(table, chosen), options);
  }
  writeFileAtomic(files.tree, writeNewick(tree));
}

/** @throws UserError where files of these names were not simulated: a study of one's own would be lost. */
function refuseOthers({ tables, tree, metadata }: SimulatedFiles): void {
  const found = [...tables, tree, metadata].find((path) => existsSync(path));
  if (found === undefined) return;
  if (existsSync(metadata) && readFileSync(metadata, "utf8").startsWith("# Simulated by ")) return;
  throw new UserError(
    `Cannot write ${found}: a file of that name is there and was not simulated; choose another folder.`,
  );
}
