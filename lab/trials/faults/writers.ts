/** Every writer of the project, with what a reader may find when it was cut off. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { exampleDistances, exampleTable, noProvenance } from "../../material/exampleTable.ts";

export type Version = 1 | 2;

export interface Writer {
  readonly name: string;
  /** What it writes, relative to its folder: each is replaced as a whole. None where it appends. */
  readonly targets: readonly string[];
  /** What cannot be written is lost without a word. */
  readonly isSilent?: boolean;
  /** The modules are imported here, not before, so that the faults reach them. */
  write(folder: string, version: Version): Promise<void>;
  /** Reads what stands there with the project's own reader; must throw for anything broken. */
  read(folder: string): Promise<void>;
}

const table = (version: Version) => exampleTable(3 + version, 8);
const ids = (version: Version) => table(version).sampleIds;
const distances = (version: Version) => {
  const values = exampleDistances(ids(version).length);
  return { ids: ids(version), values: Float64Array.from(values) };
};

/** The bytes of a file, or of everything in a folder; undefined if it is not there. */
export function contentOf(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isDirectory()) return readFileSync(path).toString("latin1");
  const files = (readdirSync(path, { recursive: true }) as string[]).sort();
  return files
    .filter((name) => statSync(join(path, name)).isFile())
    .map(
      (name) => `${relative(path, join(path, name))}\n${readFileSync(join(path, name)).toString("latin1")}`,
    )
    .join("\n");
}

const dataWriters: Writer[] = [
  {
    name: "table (BIOM)",
    targets: ["table.biom"],
    async write(folder, version) {
      const { writeBiom } = await import("../../../src/data/table/writeBiom.ts");
      writeBiom(join(folder, "table.biom"), table(version), { creationDate: new Date(0) });
    },
    async read(folder) {
      const { readTable } = await import("../../../src/data/table/read.ts");
      readTable(join(folder, "table.biom"));
    },
  },
  {
    name: "array (npy)",
    targets: ["array.npy"],
    async write(folder, version) {
      const { writeNpy } = await import("../../../src/formats/npy/npy.ts");
      writeNpy(join(folder, "array.npy"), new Float64Array(5 + version).fill(version), [5 + version]);
    },
    async read(folder) {
      const { readNpy } = await import("../../../src/formats/npy/npy.ts");
      readNpy(join(folder, "array.npy"));
    },
  },
  {
    name: "distances (npy, tsv, HDF5)",
    targets: ["d.npy", "d.tsv", "d.h5"],
    async write(folder, version) {
      const { squareOf, writeSquareHdf5, writeSquareNpy, writeSquareTsv } = await import(
        "../../../src/data/distances/write.ts"
      );
      writeSquareNpy(join(folder, "d.npy"), squareOf(distances(version)));
      writeSquareTsv(join(folder, "d.tsv"), squareOf(distances(version)));
      writeSquareHdf5(join(folder, "d.h5"), squareOf(distances(version)));
    },
    async read(folder) {
      const { readDistances } = await import("../../../src/data/distances/read.ts");
      for (const name of ["d.tsv", "d.h5"])
        if (existsSync(join(folder, name))) readDistances(join(folder, name));
    },
  },
  {
    name: "UniFrac (npy, tsv, HDF5, Arrow), Faith's PD",
    targets: ["u.npy", "u.tsv", "u.h5", "u.arrow", "pd.tsv", "pd.npy"],
    async write(folder, version) {
      const { writeFaithPd, writeUniFrac } = await import("../../../src/data/unifrac/uniFracFile.ts");
      const { parseNewick } = await import("../../../src/data/tree/newick.ts");
      const study = table(version);
      const tree = parseNewick(`(${study.asvIds.map((id, i) => `${id}:${i + version}`).join(",")});`, "tree");
      // Without memory for the matrix, it is put together in a file.
      for (const name of ["u.npy", "u.tsv", "u.h5", "u.arrow"])
        await writeUniFrac(join(folder, name), study, tree, { memoryBytes: 0 });
      for (const name of ["pd.tsv", "pd.npy"]) writeFaithPd(join(folder, name), study, tree);
    },
    async read(folder) {
      const { readDistances } = await import("../../../src/data/distances/read.ts");
      for (const name of ["u.tsv", "u.h5", "u.arrow"])
        if (existsSync(join(folder, name))) readDistances(join(folder, name));
      const { readNpy } = await import("../../../src/formats/npy/npy.ts");
      for (const name of ["u.npy", "pd.npy"]) if (existsSync(join(folder, name))) readNpy(join(folder, name));
      const { readSampleVector } = await import("../../../src/data/distances/sampleVector.ts");
      if (existsSync(join(folder, "pd.tsv"))) readSampleVector(join(folder, "pd.tsv"));
    },
  },
  {
    name: "data set",
    targets: ["set"],
    async write(folder, version) {
      const { writeDataset } = await import("../../../src/data/dataset/write.ts");
      const content = {
        table: table(version),
        distances: { unweighted: exampleDistances(ids(version).length) },
        metadata: [{ kind: "numeric", name: "age", values: new Float64Array(ids(version).length) }] as const,
        provenance: noProvenance,
      };
      writeDataset(join(folder, "set"), content);
    },
    async read(folder) {
      const { verifyDataset } = await import("../../../src/data/dataset/dataset.ts");
      verifyDataset(join(folder, "set"));
    },
  },
  {
    name: "results (tsv, Arrow)",
    targets: ["predictions.tsv", "predictions.arrow"],
    async write(folder, version) {
      const { writeResults } = await import("../../../src/training/targets/resultFile.ts");
      const columns = [
        { name: "sample", values: ids(version) },
        { name: "age", values: new Float64Array(ids(version).length).fill(version) },
      ];
      writeResults(join(folder, "predictions.tsv"), columns, "tsv");
      writeResults(join(folder, "predictions.arrow"), columns, "arrow");
    },
    async read(folder) {
      const { tableFromIPC } = await import("apache-arrow");
      const path = join(folder, "predictions.arrow");
      if (existsSync(path)) tableFromIPC(readFileSync(path));
    },
  },
  {
    name: "configuration",
    targets: ["config.json"],
    async write(folder, version) {
      const { RunFolder } = await import("../../../src/training/run/folder.ts");
      const run = new RunFolder(folder);
      run.writeJson(run.config, { version });
    },
    async read(folder) {
      const { RunFolder } = await import("../../../src/training/run/folder.ts");
      new RunFolder(folder).readConfig();
    },
  },
  {
    name: "plot (SVG, PNG)",
    targets: ["plot.svg", "plot.png"],
    async write(folder, version) {
      const { histogramPlot, savePlot } = await import("../../../src/display/plots/index.ts");
      const values = Float64Array.from({ length: 20 }, (_, i) => i * version);
      await savePlot(
        await histogramPlot({ title: "Values", xTitle: "value", series: [{ name: "all", values }] }),
        join(folder, "plot"),
      );
    },
    async read() {},
  },
  {
    name: "report",
    targets: ["report.html"],
    async write(folder, version) {
      const { writePage } = await import("../../../src/display/page/write.ts");
      await writePage(join(folder, "report.html"), {
        title: `Run ${version}`,
        created: "2026-01-01",
        split: { name: "random", parts: [] },
        figures: [{ label: "R²", value: "0.5" }],
        plots: [],
        data: [],
        configuration: {},
        environment: [],
      });
    },
    async read(folder) {
      if (!readFileSync(join(folder, "report.html"), "utf8").trimEnd().endsWith("</html>"))
        throw new Error("cut off");
    },
  },
];

/** Values of the scalar that version 1 and then version 2 log. */
const logged = (version: Version) => Array.from({ length: 4 + version }, (_, step) => 10 * version + step);

const appendingWriters: Writer[] = [
  {
    name: "event file",
    targets: [],
    async write(folder, version) {
      const { EventFile } = await import("../../../src/formats/tensorboard/eventFile.ts");
      const events = new EventFile(join(folder, "events"));
      try {
        for (const [step, value] of logged(version).entries()) {
          events.scalar("loss", value, step);
          events.flush();
        }
        events.position();
      } finally {
        events.close();
      }
    },
    async read(folder) {
      const { listEventFiles } = await import("../../../src/formats/tensorboard/eventFile.ts");
      const { readEventFile } = await import("../../material/tensorboard/eventReader.ts");
      for (const name of listEventFiles(join(folder, "events"))) {
        const { events } = readEventFile(join(folder, "events", name));
        const values = events.flatMap(({ values }) =>
          values.map((one) => (one.kind === "scalar" ? one.value : -1)),
        );
        const whole = [logged(1), logged(2)].some((all) => values.every((value, i) => value === all[i]));
        if (!whole) throw new Error(`events are not a beginning of what was logged: ${values}`);
      }
    },
  },
  {
    name: "log",
    targets: [],
    isSilent: true,
    async write(folder, version) {
      const { LogFile } = await import("../../../src/display/terminal/logFile.ts");
      const log = new LogFile(join(folder, "training.log"), () => 0);
      for (const value of logged(version)) log.write("INFO", `value ${value}`);
    },
    async read(folder) {
      const path = join(folder, "training.log");
      if (!existsSync(path)) return;
      const lines = readFileSync(path, "utf8").split("\n");
      // The last one may be cut off; a line that follows a cut one begins within it.
      const strange = lines
        .slice(0, -1)
        .find((line) => !line.includes(" - aam - INFO - value ") && !/^[\d: -]*\d{4}/.test(line));
      if (strange !== undefined) throw new Error(`a line of nobody's: ${strange}`);
    },
  },
];

const tensorWriters: Writer[] = [
  {
    name: "tensors (safetensors, pt)",
    targets: ["w.safetensors", "w.pt"],
    async write(folder, version) {
      const torch = await import("../../../src/torch/index.ts");
      using _scope = torch.scope();
      const weights = { weight: torch.full([40, 3], version), bias: torch.full([version], 1) };
      torch.saveSafetensors(join(folder, "w.safetensors"), new Map(Object.entries(weights)));
      torch.savePickle(join(folder, "w.pt"), weights);
    },
    async read(folder) {
      const torch = await import("../../../src/torch/index.ts");
      using _scope = torch.scope();
      if (existsSync(join(folder, "w.safetensors"))) torch.loadSafetensors(join(folder, "w.safetensors"));
      if (existsSync(join(folder, "w.pt"))) torch.loadPickle(join(folder, "w.pt"));
    },
  },
  {
    name: "checkpoint",
    targets: ["checkpoints/last.safetensors", "checkpoints/best.safetensors"],
    async write(folder, version) {
      const torch = await import("../../../src/torch/index.ts");
      const { saveCheckpoint, saveWeights } = await import("../../../src/training/loop/checkpoint.ts");
      const { makeFolder } = await import("../../../src/common/files/atomicFile.ts");
      makeFolder(join(folder, "checkpoints"));
      const model = new torch.nn.Linear(4, 3);
      torch.nn.init.constant_(model.weight, version);
      torch.nn.init.constant_(model.bias!, version);
      torch.manualSeed(1);
      saveCheckpoint(join(folder, "checkpoints/last.safetensors"), { model }, { step: version });
      saveWeights(join(folder, "checkpoints/best.safetensors"), model, { step: version });
      model.dispose();
    },
    async read(folder) {
      const torch = await import("../../../src/torch/index.ts");
      const { loadCheckpoint, loadWeights } = await import("../../../src/training/loop/checkpoint.ts");
      const model = new torch.nn.Linear(4, 3);
      const [last, best] = ["last", "best"].map((name) => join(folder, `checkpoints/${name}.safetensors`));
      if (existsSync(last)) loadCheckpoint(last, { model });
      if (existsSync(best)) loadWeights(best, model);
      model.dispose();
    },
  },
  {
    name: "converted checkpoints",
    targets: ["encoder.safetensors", "encoder.pt"],
    async write(folder, version) {
      const { convertFromReference, convertToReference } = await import(
        "../../../src/reference/convert/convert.ts"
      );
      const checkpoints = join(import.meta.dir, "../../../tests/fixtures/checkpoints");
      const source = join(checkpoints, version === 1 ? "trainer_encoder.pt" : "trainer_predictor.pt");
      convertFromReference(source, join(folder, "encoder.safetensors"));
      convertToReference(join(folder, "encoder.safetensors"), join(folder, "encoder.pt"), { bare: false });
    },
    async read(folder) {
      const torch = await import("../../../src/torch/index.ts");
      const { openRun } = await import("../../../src/training/run/open.ts");
      using _scope = torch.scope();
      if (existsSync(join(folder, "encoder.safetensors")))
        openRun(join(folder, "encoder.safetensors"), "cpu").model.dispose();
      if (existsSync(join(folder, "encoder.pt"))) torch.loadPickle(join(folder, "encoder.pt"));
    },
  },
];

export const writers: readonly Writer[] = [...dataWriters, ...appendingWriters, ...tensorWriters];

export function writerOf(name: string): Writer {
  const writer = writers.find((one) => one.name === name);
  if (!writer) throw new Error(`no writer ${name}`);
  return writer;
}
