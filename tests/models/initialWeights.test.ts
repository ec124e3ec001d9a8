import { expect, test } from "bun:test";
import { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import {
  type ReferenceConfig,
  sequenceEncoderOptions,
  sequencePredictorOptions,
} from "../../src/reference/config.ts";
import { ReferencePredictor } from "../../src/reference/predictor.ts";
import * as torch from "../../src/torch/index.ts";

interface Entry {
  readonly version: "head" | "seed";
  readonly module: "SequenceEncoder" | "SequencePredictor";
  readonly config: ReferenceConfig;
  /** Name, shape, first value, last value, sum. */
  readonly parameters: readonly [string, number[], number, number, number][];
  readonly next: readonly number[];
}

const entries = (await Bun.file(`${import.meta.dir}/../fixtures/initialWeights.json`).json()) as Entry[];

function build({ module, version, config }: Entry): torch.nn.Module {
  if (module === "SequenceEncoder") return new SequenceEncoder(sequenceEncoderOptions(config));
  return new ReferencePredictor({
    ...sequencePredictorOptions(config),
    glorotHeads: version === "head",
    targetNorm: version === "head",
  });
}

test("models start with the reference's weights, bit for bit, and draw nothing else", () => {
  expect(entries.length).toBeGreaterThan(12);
  for (const entry of entries) {
    torch.manualSeed(42);
    const model = build(entry);
    const next = torch.rand([3]).toFloat64Array();
    const label = `${entry.version} ${entry.module} ${JSON.stringify(entry.config)}`;
    const found = [...model.stateDict()].map(([name, value]) => {
      const flat = value.toFloat64Array();
      return [name, value.shape, flat[0], flat[flat.length - 1]];
    });
    expect({ label, found }).toEqual({
      label,
      found: entry.parameters.map(([...facts]) => facts.slice(0, 4)),
    });
    for (const [name, , , , sum] of entry.parameters) {
      const own = model.stateDict().get(name)!.to("float64").sum().item();
      expect({ label, name, near: Math.abs(own - sum) < 1e-9 * (1 + Math.abs(sum)) }).toEqual({
        label,
        name,
        near: true,
      });
    }
    expect([...next]).toEqual([...entry.next]);
    model.dispose();
  }
});
