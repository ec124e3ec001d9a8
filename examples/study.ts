/**
 * A study from files to predictions: prepare, pretrain an encoder, fine-tune it on metadata, and use both.
 * The study is simulated; give your own files in the place of these.
 *
 *     bun examples/study.ts [FOLDER]
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as aam from "aam-bun";

const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), "aam-study-"));
const at = (name: string) => join(folder, name);
const study = aam.simulate({ samples: 80, asvs: 60, richness: 12, length: 60, seed: 1 });
const { table, tree, metadata } = aam.writeSimulation(at("files"), study);

await aam.prepareDataset({ table, tree, metadata }, at("set"));
using dataset = aam.openDataset(at("set"));
const common = { dataset, device: "cpu" as const, resume: false, display: new aam.ProgressDisplay("quiet") };

const { summary } = await aam.pretrain({
  ...common,
  output: at("encoder"),
  config: aam.pretrainConfig({ training: { maxSteps: 200 } }),
});
console.log(`UniFrac of unseen samples: R2 ${summary["val.unifrac_r2"].toFixed(3)}`);

// Distances between samples, without the tree.
const encoder = aam.openRun(at("encoder"), "cpu");
const samples = Int32Array.from({ length: 5 }, (_, i) => i);
const embeddings = aam.embedSamples(encoder, dataset, samples, "cpu");
const form = aam.distanceFormOf(encoder.facts.config, encoder.encoder);
console.log(aam.distancesBetween(embeddings, embeddings, form).toString());

await aam.fineTune({
  ...common,
  output: at("model"),
  config: aam.fineTuneConfig({
    pretrainedEncoder: at("encoder"),
    freezeBase: true,
    target: { metadataColumn: ["ph"] },
    training: { maxSteps: 50 },
  }),
});
const model = aam.openRun(at("model"), "cpu");
const known = { device: "cpu", categories: null } as const;
const { predictions } = aam.predictSamples(model, dataset, samples, known);
console.log(`pH of ${dataset.sampleIds[0]}: ${predictions[0].predicted[0].toFixed(2)}`);
