import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SearchSummary } from "../../../src/training/search/outcome.ts";
import { searchText } from "../../../src/training/search/searchReport.ts";
import { refusal, run, succeed } from "../../helpers/commandLine.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { showsOptions, showsRows } from "../../helpers/showsOptions.ts";

const scratch = useScratch();
let study: PlantedStudy;
let config: string;
let usual: Outcome;
let outputs = 0;

interface Outcome {
  summary: SearchSummary;
  output: string;
  words: string[];
  said: string;
}

/** Short trainings of a small model; later options override earlier ones. */
async function search(...more: string[]): Promise<Outcome> {
  const output = more.includes("--output")
    ? more[more.indexOf("--output") + 1]
    : scratch.path(`s${outputs++}`);
  const data = more.includes("--table") ? [] : ["--dataset", study.folder];
  const cheap = ["--metadata-column", "score", "--config", config, "--trials", "2", "--folds", "2"];
  const space = more.includes("--space")
    ? []
    : ["--space", "lr=1e-3..1e-2:log", "--space", "batch-size=8,16"];
  const words = [...data, ...cheap, ...space, "--workers", "1", "--output", output, "--json", ...more];
  const out = await succeed("search", ...words);
  const line = out.split("\n").find((text) => text.startsWith('{"event":"search"'));
  return { summary: JSON.parse(line!), output, words, said: out };
}

beforeAll(async () => {
  study = await plantedStudy(scratch.path("study"), 30, 8);
  config = scratch.write("base.yaml", "training: {epochs: 2, penalty: 0}\nmodel: {codeDim: 8, wordDim: 8}\n");
  usual = await search();
});

/** Without times, which are others each time. */
const timeless = ({ trials, best, ...rest }: SearchSummary) => ({
  ...rest,
  best: { ...best, seconds: 0 },
  trials: trials.map((one) => ({ ...one, seconds: 0 })),
});
const files = ({ output }: Outcome) => readdirSync(join(output, "trials")).sort();

showsOptions("search", "--dataset --config --output --json");
describe("search", () => {
  test("writes a table, a report and the best settings, which train takes", async () => {
    const { summary, output } = usual;
    expect(summary.trials.map(({ folds }) => folds).sort()).toEqual([1, 2, 2]);
    expect(summary.trials[0].settings).toBeNull();
    expect(summary.samples).toEqual({ searched: 24, held_out: 6 });
    const lines = readFileSync(join(output, "trials.tsv"), "utf8").trimEnd().split("\n");
    expect([lines.length, lines[0]]).toEqual([4, "trial\tlr\tbatch-size\tfolds\tloss\tseconds\terror"]);
    expect(readFileSync(join(output, "report.html"), "utf8")).toContain("Least loss so far");
    // The first settings are no baseline; what they are compared with is simple predictors.
    const { simple } = summary.test;
    expect(simple.map(({ name }) => name)).toEqual(["Median", "Random forest", "Median forest"]);
    for (const { name, loss, difference } of simple) {
      expect(readFileSync(join(output, "report.html"), "utf8")).toContain(`<th scope="row">${name}<`);
      expect(difference.value).toBeCloseTo(summary.test.best.value - loss.value, 10);
    }
    expect(readFileSync(join(output, "report.html"), "utf8")).not.toContain("best baseline");
    const whole = summary.trials.filter(({ folds, loss }) => folds === 2 && loss !== null);
    expect(summary.best.loss).toBe(Math.min(...whole.map(({ loss }) => loss!)));
    const trained = scratch.path("trained");
    const best = join(output, "best.yaml");
    await succeed("train", "--dataset", study.folder, "--config", best, "--output", trained, "--no-plots");
    const used = JSON.parse(readFileSync(join(trained, "config.json"), "utf8"));
    expect(used.target.metadataColumn).toEqual(["score"]);
    const lr = summary.best.settings?.["lr"];
    if (lr !== undefined) expect(used.training.lr).toBe(lr);
    expect(used.training.epochs).toBe(2);
  });

  test("judges good settings on more folds", async () => {
    const halving = await search("--trials", "4");
    expect(halving.summary.trials.map(({ folds }) => folds).sort()).toEqual([1, 1, 2, 2, 2]);
    const kept = halving.summary.trials.filter(({ folds, trial }) => folds === 2 && trial > 0);
    const first = (trial: number) =>
      JSON.parse(readFileSync(join(halving.output, "trials", `trial-${trial}-fold-1.json`), "utf8")).losses;
    const mean = (losses: number[]) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const ranked = [1, 2, 3, 4].sort((a, b) => mean(first(a)) - mean(first(b)));
    expect(kept.map(({ trial }) => trial).sort()).toEqual(ranked.slice(0, 2).sort());
  });

  const rows: [string, (found: Outcome) => void][] = [
    [
      "--method random",
      ({ summary: { trials } }) => {
        expect(trials.map(({ folds }) => folds)).toEqual([2, 2, 2]);
        // Settings of a trial depend on its number and the seed alone.
        expect(trials.map(({ settings }) => settings)).toEqual(
          usual.summary.trials.map(({ settings }) => settings),
        );
      },
    ],
    [
      "--seed 5",
      ({ summary: { trials } }) => expect(trials[1].settings).not.toEqual(usual.summary.trials[1].settings),
    ],
    ["--trials 1", ({ summary }) => expect(summary.trials.length).toBe(2)],
    ["--folds 3", ({ summary }) => expect(summary.trials[0].folds).toBe(3)],
    ["--split-by host", ({ summary }) => expect(summary.split).toBe("whole host held out")],
    ["--metadata-column state", ({ summary }) => expect(summary.figure).toBe("log_loss")],
    [
      "--pretrained-encoder builtin --space lr=1e-3..1e-2 --trials 1",
      (found) => expect(readFileSync(join(found.output, "best.yaml"), "utf8")).toContain("pretrainedEncoder"),
    ],
    [
      "--freeze-base --pretrained-encoder builtin --space lr=0.3..1 --trials 1",
      (found) => {
        expect(found.said).toContain("Frozen encoder: predicts from blocks");
        // The same as `train` would take: blocks, whose last epoch is kept.
        const best = readFileSync(join(found.output, "best.yaml"), "utf8");
        for (const line of ["freezeBase: true", "pooling: blocks", "bestMetric: last"])
          expect(best).toContain(line);
      },
    ],
    [
      "--space loss-type=mae,huber --space ema=0.9,none",
      ({ summary }) => {
        const drawn = Object.values(summary.trials[1].settings!) as (string | number | null)[];
        expect(["mae", "huber"]).toContain(drawn[0] as string);
        expect([0.9, null]).toContain(drawn[1] as number | null);
      },
    ],
  ];
  showsRows(
    "search",
    rows.map(([line]) => [line.split(" ")[0]]),
  );
  test.each(rows)("%s", async (line, judge) => judge(await search(...line.split(" "))));

  test("warns of an encoder that knows the samples that are held out", async () => {
    const encoder = scratch.path("encoder");
    const short = ["--max-steps", "1", "--words", "4", "--code-dim", "8", "--no-plots", "--quiet"];
    await succeed("pretrain", "--dataset", study.folder, ...short, "--output", encoder);
    const little = ["--space", "lr=1e-3..1e-2", "--trials", "1", "--workers", "1"];
    const files = ["--dataset", study.folder, "--config", config, "--output", scratch.path("known")];
    const what = ["--metadata-column", "score", "--folds", "2", "--pretrained-encoder", encoder];
    const { error } = await run("search", ...files, ...what, ...little);
    expect(error).toContain(
      "The encoder was trained on the sequences and distances, not the values, of 24 of the 30",
    );
    // Processes that have done their part do not call themselves interrupted.
    expect(error).not.toContain("Interrupted");
  });

  test("knows the form of models that are converted from the original AAM", async () => {
    const model =
      "{encoder: aam, referenceForm: true, embeddingDim: 8, attentionHeads: 1, attentionLayers: 1}";
    const form = scratch.write("form.yaml", `training: {epochs: 1, penalty: 0}\nmodel: ${model}\n`);
    const data = ["--dataset", study.folder, "--metadata-column", "score", "--config", form];
    const little = "--trials 1 --folds 2 --workers 1 --space lr=1e-3..1e-2 --json".split(" ");
    const out = await succeed("search", ...data, ...little, "--output", scratch.path("form"));
    expect(out).toContain('"event":"search"');
  });

  showsOptions("search", "--workers --max-minutes --quiet");
  test("goes on where it was cut off, on any number of cores, until the held-out samples were seen", async () => {
    const beside = await search("--workers", "2");
    expect(timeless(beside.summary)).toEqual(timeless(usual.summary));
    const folder = join(beside.output, "trials");
    const kept = statSync(join(folder, "trial-0-fold-1.json")).mtimeMs;
    for (const name of files(beside).filter((file) => /^trial-2|-test/.test(file)))
      rmSync(join(folder, name));
    const again = await search("--output", beside.output);
    expect(timeless(again.summary)).toEqual(timeless(usual.summary));
    expect(statSync(join(folder, "trial-0-fold-1.json")).mtimeMs).toBe(kept);
    expect(files(again)).toEqual(files(usual));
    // Without any time the first settings are judged, and nothing else: also later, as the test is over.
    const short = await search("--max-minutes", "1e-9");
    expect([short.summary.trials.length, short.summary.ended_by]).toEqual([1, "time"]);
    const longer = await search("--output", short.output);
    expect(longer.summary.trials.length).toBe(1);
    const quiet = await run("search", ...usual.words.filter((word) => word !== "--json"), "--quiet");
    expect(quiet.out).toContain("samples that no trial has seen");
    expect(quiet.out).toMatch(/The best settings less the best of these, .*(better|worse|is shown)\.\n/);
    expect(quiet.out + quiet.error).not.toContain("The best settings are in");
    expect(await refusal("search", ...usual.words, "--trials", "3")).toContain("other data or settings");
  });

  showsOptions("search", "--table --tree --rep-seqs --metadata");
  test("takes files; the tree is for the loss of distances", async () => {
    const given = ["--table", study.table, "--metadata", study.metadata];
    const { summary } = await search(...given, "--trials", "1", "--folds", "2");
    expect(summary.samples.searched).toBeGreaterThan(10);
    expect(searchText(summary)).toStartWith("2 trials, ended by");
    expect(searchText({ ...summary, trials: summary.trials.slice(0, 1) })).toStartWith("1 trial, ended by");
    const words = [...given, "--metadata-column", "score", "--output", scratch.path("refused")];
    for (const option of ["--tree", "--rep-seqs"])
      expect(await refusal("search", ...words, option, scratch.path("none"))).toContain("none");
  });

  test("refuses what it cannot do, in one sentence", async () => {
    const output = scratch.path("never");
    const refused = (...more: string[]) =>
      refusal("search", "--dataset", study.folder, "--output", output, "--metadata-column", "score", ...more);
    expect(await refused("--freeze-base")).toContain("give the --pretrained-encoder to keep");
    expect(await refused("--space", "lr")).toContain("lr=1e-4..1e-2:log");
    expect(await refused("--space", "rate=1..2")).toContain("no option --rate");
    expect(await refused("--space", "lr=1e-2..1e-3")).toContain("not below");
    expect(await refused("--space", "dropout=0..2")).toContain("2 does not do");
    expect(await refused("--space", "lr=fast,slow")).toContain('"fast" does not do');
    expect(await refused("--space", "split-by=host,study")).toContain("no matter of searching");
    expect(await refused("--space", "lr=1e-3,1e-2", "--space", "lr=1,2")).toContain("twice");
    expect(await refused("--space", "attention-heads=2,4")).toContain("--attention-heads");
    expect(await refusal("search", "--dataset", study.folder, "--output", output)).toContain(
      "--metadata-column",
    );
    expect(await refused("--metadata-column", "colour")).toContain('"colour"');
    expect(existsSync(output)).toBe(false);
    expect(await refused("--output", study.folder)).toContain(
      `Cannot write ${study.folder}: the folder exists and holds other files`,
    );
  });
});
