import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FoldSummary } from "../../../src/training/folds/summarize.ts";
import { refusal, run, succeed } from "../../helpers/commandLine.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";

const scratch = useScratch();
let study: PlantedStudy;
let usual: Outcome;
let outputs = 0;

interface Outcome {
  summary: FoldSummary;
  output: string;
}

/** Cheap settings; later options override earlier ones. */
async function validate(...more: string[]): Promise<Outcome> {
  const output = scratch.path(`cv${outputs++}`);
  const cheap = [
    "--predictor",
    "ridge",
    "--folds",
    "3",
    "--inner-folds",
    "2",
    "--n-estimators",
    "5",
    "--workers",
    "1",
  ];
  const data = more.includes("--table") ? [] : ["--dataset", study.folder];
  const column = more.includes("--metadata-column") ? [] : ["--metadata-column", "score"];
  const given = [...data, ...column, ...cheap, "--output", output, "--json", ...more];
  const out = await succeed("cross-validate", ...given);
  const line = out.split("\n").find((text) => text.startsWith('{"event":"cross-validation"'));
  return { summary: JSON.parse(line!), output };
}

beforeAll(async () => {
  study = await plantedStudy(scratch.path("study"), 30, 8);
  usual = await validate();
});

const figure = ({ summary }: Outcome) =>
  summary.predictors.find(({ name }) => name === summary.main)!.figures["mae"]?.value;
const config = ({ output }: Outcome) =>
  JSON.parse(readFileSync(join(output, "cross-validation.json"), "utf8")).config;

showsOptions(
  "cross-validate",
  "--folds --repeats --split-by --stratify --leave-out --seed --predictor --encoder --encoder-steps --inner-folds --n-estimators --classifier --no-classifier " +
    "--coverage --learning-curve --metadata-column --dataset --output --json",
);
describe("cross-validate", () => {
  test.each([
    ["--folds 4", ({ summary }) => expect(summary.split).toContain("4 folds")],
    ["--repeats 2", ({ summary }) => expect(summary.repeats).toBe(2)],
    ["--split-by host", ({ summary }) => expect(summary.groups).toBe(10)],
    ["--stratify state", (changed) => expect(figure(changed)).not.toBe(figure(usual))],
    [
      "--leave-out study",
      ({ summary }) =>
        expect([summary.groups, summary.split]).toEqual([3, "each study left out once, 3 folds"]),
    ],
    ["--seed 5", (changed) => expect(figure(changed)).not.toBe(figure(usual))],
    ["--inner-folds 5", (changed) => expect(config(changed).innerFolds).toBe(5)],
    [
      "--predictor kernel,forest",
      ({ summary }) =>
        expect(summary.predictors.map(({ name }) => name)).toEqual(["constant", "forest", "kernel"]),
    ],
    [
      "--predictor encoder --encoder builtin",
      ({ summary }) => expect(summary.predictors.map(({ title }) => title)).toEqual(["Median", "Encoder"]),
    ],
    [
      "--predictor encoder --encoder new --encoder-steps 2",
      (changed) => expect([config(changed).encoder, config(changed).encoderSteps]).toEqual(["new", 2]),
    ],
    [
      "--coverage 0.5",
      ({ summary }) => expect(summary.predictors[1].width).toBeLessThan(usual.summary.predictors[1].width),
    ],
    ["--learning-curve 0.5", ({ summary }) => expect(summary.curve.length).toBe(4)],
    ["--metadata-column state", ({ summary }) => expect(summary.kind).toBe("classes")],
    [
      "--metadata-column state --classifier",
      ({ summary }) => expect(summary.classes).toEqual(["ill", "well"]),
    ],
  ] as [string, (changed: Outcome) => void][])("%s", async (line, judge) => {
    judge(await validate(...line.split(" ")));
  });

  test("the number of steps decides the encoder of a fold", async () => {
    const encoder = (steps: string) =>
      validate("--predictor", "encoder", "--encoder", "new", "--encoder-steps", steps);
    expect(figure(await encoder("9"))).not.toBe(figure(await encoder("2")));
  });

  test("the number of trees decides the forest", async () => {
    const few = await validate("--predictor", "forest");
    expect(figure(await validate("--predictor", "forest", "--n-estimators", "9"))).not.toBe(figure(few));
  });

  showsOptions("cross-validate", "--table --tree --rep-seqs --metadata --rarefy-depth");
  test("takes files: with a tree there are distances, and counts can be drawn", async () => {
    const files = ["--table", study.table, "--metadata", study.metadata];
    const likeness = async (...more: string[]) => (await validate(...files, ...more)).summary.unlike;
    expect(await likeness("--rarefy-depth", "none")).toBeNull();
    expect(await likeness("--rarefy-depth", "none", "--tree", study.tree)).toBeNumber();
    const whole = await validate(...files, "--rarefy-depth", "none");
    expect(whole.summary.samples).toBe(30);
    const drawn = await validate(...files, "--rarefy-depth", "120");
    expect(drawn.summary.samples).toBeLessThan(30);
    expect(readFileSync(join(drawn.output, "report.html"), "utf8")).toContain(
      `<dt>Samples left out before</dt><dd>${30 - drawn.summary.samples} (fewer than 120 counts)</dd>`,
    );
    expect(
      await refusal(
        "cross-validate",
        "--table",
        study.table,
        "--rarefy-depth",
        "few",
        "--metadata-column",
        "score",
        "--output",
        "x",
      ),
    ).toContain("--rarefy-depth");
    expect(
      await refusal(
        "cross-validate",
        ...files,
        "--rep-seqs",
        scratch.path("none"),
        "--metadata-column",
        "score",
        "--output",
        scratch.path("y"),
      ),
    ).toContain("none");
  });

  showsOptions("cross-validate", "--no-reasons --taxonomy");
  test("reasons have names where a taxonomy is given, and can be left out", async () => {
    const reasons = ({ output }: Outcome) => join(output, "reasons.tsv");
    expect(readFileSync(reasons(usual), "utf8")).not.toContain("Genus");
    const named = await validate("--taxonomy", study.taxonomy);
    expect(readFileSync(reasons(named), "utf8").split("\n")[1]).toMatch(/Genus[01]$/);
    const page = readFileSync(join(named.output, "report.html"), "utf8");
    for (const text of [
      "Genus0",
      ">ASVs that carry score</h2>",
      "Search ASVs",
      "MAE of ridge minus that of the best other",
    ])
      expect(page).toContain(text);
    expect(page).not.toContain(">Samples</h2>");
    for (const name of ["ridge-reasons.tsv", "ridge-importance.qza"])
      expect(existsSync(join(named.output, name))).toBe(true);
    const forest = ({ output }: Outcome) =>
      ["forest-reasons.tsv", "forest-importance.qza"].map((name) => join(output, name));
    const grown = await validate("--predictor", "forest", "--taxonomy", study.taxonomy);
    expect([reasons(grown), ...forest(grown)].map(existsSync)).toEqual([false, true, true]);
    expect(readFileSync(forest(grown)[0], "utf8").split("\n")[1]).toMatch(/Genus[01]$/);
    // ASVs of the same name have bars of their own.
    const alike = scratch.path("alike.tsv");
    writeFileSync(alike, readFileSync(study.taxonomy, "utf8").replace(/Genus\d+/g, "Common"));
    const shared = await validate("--taxonomy", alike);
    const plots = readFileSync(join(shared.output, "report.html"), "utf8").split("<svg");
    const bars = plots
      .map((plot) => plot.match(/>\d+\. [^<]*Common</g) ?? [])
      .filter((own) => own.length > 0);
    expect(bars.map((own) => own.length > 2 && own.length === new Set(own).size)).toEqual([true, true]);
    const without = await validate("--no-reasons", "--predictor", "ridge,forest");
    expect([reasons(without), ...forest(without)].some(existsSync)).toBe(false);
  });

  test("the report speaks of groups where there are some, of samples otherwise", async () => {
    const said = ({ output }: Outcome) => {
      const page = readFileSync(join(output, "report.html"), "utf8");
      return ["<dt>Groups</dt>", "by bootstrap over groups", "by bootstrap over samples"].map((text) =>
        page.includes(text),
      );
    };
    expect(said(usual)).toEqual([false, false, true]);
    expect(said(await validate("--split-by", "host"))).toEqual([true, true, false]);
  });

  showsOptions("cross-validate", "--workers --resume --quiet");
  test("goes on with --resume; --quiet says less; several workers change nothing", async () => {
    const { output } = usual;
    const again = [
      "--predictor",
      "ridge",
      "--folds",
      "3",
      "--inner-folds",
      "2",
      "--n-estimators",
      "5",
      "--output",
      output,
    ];
    const given = ["--dataset", study.folder, "--metadata-column", "score", ...again];
    expect(await refusal("cross-validate", ...given)).toContain("--resume");
    const loud = await run("cross-validate", ...given, "--resume");
    const quiet = await run("cross-validate", ...given, "--resume", "--quiet");
    expect(loud.out + loud.error).toContain("The report is");
    expect(quiet.out + quiet.error).not.toContain("The report is");
    expect(quiet.out).toContain("Ridge on presence");
    // By the titles of the table's rows.
    expect(quiet.out).toMatch(/^Ridge on presence minus Median, MAE: −[\d.]+ \(.*\), better$/m);
    expect((await validate("--workers", "2")).summary).toEqual(usual.summary);
    expect(readdirSync(join(output, "folds")).length).toBe(3);
  });

  test("writes into no folder with other files, but into an empty one", async () => {
    const before = readdirSync(study.folder);
    const given = ["cross-validate", "--dataset", study.folder, "--metadata-column", "score"];
    for (const more of [[], ["--resume"]])
      expect(await refusal(...given, "--output", study.folder, ...more)).toContain(
        `Cannot write ${study.folder}: the folder exists and holds other files`,
      );
    expect(readdirSync(study.folder)).toEqual(before);
    const empty = scratch.path("empty");
    mkdirSync(empty);
    expect((await validate("--output", empty)).summary).toEqual(usual.summary);
    expect(existsSync(join(empty, "report.html"))).toBe(true);
  });

  test("names the user's own files, before they are prepared", async () => {
    const folder = scratch.path("named");
    mkdirSync(folder);
    const given = ["cross-validate", "--table", study.table, "--output", join(folder, "cv")];
    const refused = (...more: string[]) => refusal(...given, ...more);
    expect(await refused("--metadata-column", "score")).toContain("--metadata.");
    const metadata = ["--metadata", study.metadata, "--metadata-column"];
    const missing = `${study.metadata} has no column "bodysite"; it has "score", `;
    expect(await refused(...metadata, "bodysite")).toContain(missing);
    for (const option of ["--split-by", "--stratify", "--leave-out"])
      expect(await refused(...metadata, "score", option, "bodysite")).toContain(missing);
    const encoder = ["--predictor", "encoder", "--encoder", "new"];
    expect(await refused(...metadata, "score", ...encoder)).toContain("give --tree");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("refuses what it cannot do, in one sentence", async () => {
    const refused = (...more: string[]) => refusal("cross-validate", "--dataset", study.folder, ...more);
    const output = ["--output", scratch.path("refused")];
    expect(await refused(...output)).toContain("--metadata-column");
    expect(await refused("--metadata-column", "score")).toContain("--output");
    expect(await refused("--metadata-column", "colour", ...output)).toContain('"colour"');
    expect(await refused("--metadata-column", "state", "--no-classifier", ...output)).toContain(
      "--no-classifier",
    );
    expect(await refused("--metadata-column", "score", "--folds", "31", ...output)).toContain("31 folds");
    const encoded = ["--metadata-column", "score", ...output, "--predictor"];
    expect(await refused(...encoded, "encoder")).toContain("--encoder builtin");
    expect(await refused(...encoded, "ridge", "--encoder", "builtin")).toContain("leave --encoder out");
    expect(await refused(...encoded, "encoder", "--encoder", scratch.path("none"))).toContain("no run");
    // A folder of the name is no name.
    expect(await refused(...encoded, "encoder", "--encoder", "./new")).toMatch(
      /no run or checkpoint \/\S+\/new;/,
    );
    for (const other of [[], ["--encoder", "builtin"]])
      expect(await refused(...encoded, "encoder", ...other, "--encoder-steps", "9")).toContain(
        "add --encoder new",
      );
    expect(existsSync(output[1])).toBe(false);
    expect((await run("cross-validate", "--predictor", "oracle")).code).toBe(2);
  });
});
