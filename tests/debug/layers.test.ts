import { beforeAll, expect, test } from "bun:test";
import { allPadding } from "../../debug/all-padding.ts";
import { attentionPoolingNan } from "../../debug/attention-pooling-nan.ts";
import { naivePooling } from "../../debug/lib/naiveForms.ts";
import type { Subject } from "../../debug/lib/subject.ts";
import { memory } from "../../debug/memory.ts";
import { parityDrift } from "../../debug/parity-drift.ts";
import type * as torch from "../../src/torch/index.ts";
import { breakForward, faultsOf, investigate, smallSubject } from "./faults.ts";

let subject: Subject;
beforeAll(async () => {
  subject = await smallSubject(false, { samples: 60 });
});

/** The pooling as it was: excluded scores are -infinity. */
function breakPooling(
  pooling: { query: torch.nn.Linear; norm: torch.nn.LayerNorm } & torch.nn.Module,
): Disposable {
  return breakForward(pooling, (_original, [input, valid]) =>
    pooling.norm.forward(
      naivePooling(pooling.query.weight, input as torch.Tensor, valid as torch.Tensor | null),
    ),
  );
}

test("attention-pooling-nan: sound layers pass, a mask of -infinity is found in its layer", async () => {
  expect(faultsOf(await investigate(attentionPoolingNan, subject))).toEqual([]);
  using _fault = breakPooling(subject.model.sampleEncoder.asvEncoder.attentionPooling);
  const finding = await investigate(attentionPoolingNan, subject);
  expect(faultsOf(finding)).toEqual(["values of the product's layers that are not finite"]);
  expect(finding.verdicts[0].fails).toContain("pooling of bases");
  expect(finding.verdicts[0].fails).not.toContain("pooling of ASVs");
});

test("all-padding: sound models pass, a broken mask is found with its path", async () => {
  const sound = await investigate(allPadding, subject, { batches: 3 });
  expect(faultsOf(sound)).toEqual([]);
  using _fault = breakPooling(subject.model.attentionPooling!);
  const finding = await investigate(allPadding, subject, { batches: 3 });
  expect(faultsOf(finding)).toEqual(["values and gradients of the product's model that are not finite"]);
  expect(finding.verdicts[0].fails).toContain("attention_pooling");
});

test("parity-drift: forms agree to rounding; another activation is found in the first layer that has it", async () => {
  expect(faultsOf(await investigate(parityDrift, subject))).toEqual([]);
  const { config } = subject;
  // The checkpoint says gelu: the plain form takes the exact one from the config, the model another.
  const told = {
    ...subject,
    config: { ...config, model: { ...config.model, activation: "gelu_tanh" as const } },
  };
  const finding = await investigate(parityDrift, told);
  expect(faultsOf(finding)).toContain("largest deviation in float64, results and gradients");
  expect(finding.verdicts[0].fails).toContain("sample_encoder.asv_encoder.transformer.encoder.layers.0.");
});

test("parity-drift: a shifted weight of one transformer is found there and not before", async () => {
  using _fault = breakForward<torch.Tensor>(subject.model.encoderTransformer, (original, args) =>
    original(...(args as never[])).add(1e-3),
  );
  const finding = await investigate(parityDrift, subject);
  expect(finding.verdicts[0].fails).toBe(
    "The product computes something else, first in encoder_transformer.",
  );
});

test("memory: nothing stays after a step; what is kept is found with its module", async () => {
  const sound = await investigate(memory, subject, { batchSize: 8, steps: 4 });
  expect(faultsOf(sound)).toEqual([]);
  const kept: torch.Tensor[] = [];
  using _fault = breakForward<torch.Tensor>(subject.model.attentionPooling!, (original, args) => {
    const result = original(...(args as never[]));
    kept.push(result.detachFromScope());
    return result;
  });
  const finding = await investigate(memory, subject, { batchSize: 8, steps: 4 });
  expect(faultsOf(finding)).toContain(
    "live tensors that each of several equal steps leaves behind, together",
  );
  // The norm made the tensor; the pooling and the model return this very one, so any of the
  // three may be what keeps it.
  expect(finding.verdicts[0].fails).toBe(
    "Tensors leak from attention_pooling.norm (returned by attention_pooling and the model too).",
  );
  for (const tensor of kept) tensor.dispose();
});
