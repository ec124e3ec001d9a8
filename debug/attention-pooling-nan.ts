/**
 * Can padding, equal samples or a loss over nothing make NaN? Each layer, forward and
 * backward, beside its naive form.
 */
import { Random } from "../src/common/random/random.ts";
import { barChart } from "../src/display/plots/index.ts";
import type { AttentionPooling } from "../src/models/attentionPooling.ts";
import { pairwiseDistances } from "../src/models/pairwiseDistances.ts";
import { keyMask } from "../src/models/transformer.ts";
import * as torch from "../src/torch/index.ts";
import { nonFiniteIn } from "../src/training/loop/nanDetector.ts";
import { unifracLoss } from "../src/training/objectives/losses.ts";
import type { Finding } from "./lib/finding.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { naiveAttention, naiveDistances, naiveMean, naivePooling } from "./lib/naiveForms.ts";
import type { Subject } from "./lib/subject.ts";

type Form = "mended" | "naive";

interface Scenario {
  readonly name: string;
  /** How many of the positions of each row are filled. */
  readonly filled: readonly number[];
  readonly scale: number;
}

const length = 8;
const scenarios: readonly Scenario[] = [
  { name: "all filled", filled: [8, 8, 8, 8], scale: 1 },
  { name: "some padding", filled: [8, 5, 3, 1], scale: 1 },
  { name: "one row of padding alone", filled: [8, 5, 0, 1], scale: 1 },
  { name: "padding alone", filled: [0, 0, 0, 0], scale: 1 },
  { name: "padding alone, zeros", filled: [0, 0, 0, 0], scale: 0 },
  { name: "large values, some padding", filled: [8, 5, 0, 1], scale: 1e4 },
];

const dtypes = ["float32", "float64", "bfloat16"] as const;

interface Outcome {
  readonly layer: string;
  readonly form: Form;
  readonly scenario: string;
  readonly dtype: string;
  /** Values that are not finite: of the result, and of the gradients of input and weights. */
  readonly forward: number;
  readonly backward: number;
}

interface Layer {
  readonly name: string;
  readonly form: Form;
  run(input: torch.Tensor, valid: torch.Tensor): torch.Tensor;
  readonly weights: readonly torch.Tensor[];
}

/** The poolings and a transformer of the model itself, beside naive forms with the same weights. */
function layersOf({ model, config }: Subject): Layer[] {
  const { asvEncoder } = model.sampleEncoder;
  const poolings: [string, AttentionPooling][] = [
    ["pooling of bases", asvEncoder.attentionPooling],
    ["pooling of ASVs", model.attentionPooling!],
  ];
  const { attentionHeads: heads } = config.model;
  const split = (value: torch.Tensor) => value.unflatten(-1, [heads, -1]).transpose(1, 2);
  const transformer = model.encoderTransformer;
  return [
    ...poolings.flatMap(([name, pooling]): Layer[] => [
      {
        name,
        form: "mended",
        weights: pooling.parameters(),
        run: (input, valid) => pooling.forward(input, valid),
      },
      {
        name,
        form: "naive",
        weights: pooling.query.parameters(),
        run: (input, valid) => naivePooling(pooling.query.weight, input, valid),
      },
    ]),
    {
      name: "attention",
      form: "mended",
      weights: [],
      run: (input, valid) =>
        torch.scaledDotProductAttention(split(input), split(input), split(input), keyMask(valid), 0),
    },
    {
      name: "attention",
      form: "naive",
      weights: [],
      run: (input, valid) => naiveAttention(split(input), split(input), split(input), keyMask(valid)),
    },
    {
      name: "transformer",
      form: "mended",
      weights: transformer.parameters(),
      run: (input, valid) => transformer.forward(input, keyMask(valid)),
    },
    {
      name: "distances of equal samples",
      form: "mended",
      weights: [],
      run: (input) => pairwiseDistances(input.narrow(1, 0, 1).squeeze(1).narrow(0, 0, 1).expand([3, -1])),
    },
    {
      name: "distances of equal samples",
      form: "naive",
      weights: [],
      run: (input) => naiveDistances(input.narrow(1, 0, 1).squeeze(1).narrow(0, 0, 1).expand([3, -1])),
    },
    {
      name: "loss without a known pair",
      form: "mended",
      weights: [],
      run: (input, valid) =>
        unifracLoss(input.mean(1), torch.zeros([4, 4]), { known: pairsOf(valid) }).unsqueeze(0),
    },
    {
      name: "loss without a known pair",
      form: "naive",
      weights: [],
      run: (input, valid) =>
        naiveMean(pairwiseDistances(input.mean(1)).square(), pairsOf(valid)).unsqueeze(0),
    },
  ];
}

/** [B, B] which pairs have two samples with something in them. */
function pairsOf(valid: torch.Tensor): torch.Tensor {
  const any = valid.any(-1);
  return any.unsqueeze(0).logicalAnd(any.unsqueeze(1)).triu(1);
}

function tryLayer(layer: Layer, scenario: Scenario, dtype: (typeof dtypes)[number], dim: number): Outcome {
  return torch.tidy(() => {
    const random = new Random(7);
    const values = Float32Array.from({ length: 4 * length * dim }, () => scenario.scale * random.normal());
    const input = torch
      .tensor(values, { shape: [4, length, dim] })
      .to(dtype)
      .detach()
      .requiresGrad_();
    const places = torch.arange(length).unsqueeze(0);
    const valid = places.lt(torch.tensor([...scenario.filled]).unsqueeze(1));
    const output = layer.run(input, valid);
    const forward = nonFiniteIn(output);
    for (const weight of layer.weights) weight.grad = null;
    // Only filled rows matter to what follows, as padding is masked from there on.
    output.to("float32").sum().backward();
    const gradients = [input, ...layer.weights].map((value) => value.grad);
    const backward = gradients.reduce((sum, gradient) => {
      const found = gradient && nonFiniteIn(gradient);
      return sum + (found ? found.nan + found.infinite : 0);
    }, 0);
    for (const weight of layer.weights) weight.grad = null;
    return {
      layer: layer.name,
      form: layer.form,
      scenario: scenario.name,
      dtype,
      forward: forward ? forward.nan + forward.infinite : 0,
      backward,
    };
  });
}

/** The weights, so that they come back exactly from a narrower dtype. */
function copyWeights(model: torch.nn.Module): Map<string, torch.Tensor> {
  return new Map(
    [...model.stateDict()].map(([name, value]) => [name, value.detach().clone().detachFromScope()]),
  );
}

export const attentionPoolingNan: Investigation<Record<string, never>> = {
  name: "attention-pooling-nan",
  question:
    "In which layers can padding alone, equal samples or a loss over nothing give NaN, forward or backward, in the mended and in the naive form?",
  needs: "data",
  settings: {},

  async investigate(subject): Promise<Finding> {
    const { model } = subject;
    const kept = copyWeights(model);
    const outcomes: Outcome[] = [];
    model.to("cpu");
    for (const dtype of dtypes) {
      model.to({ dtype });
      for (const layer of layersOf(subject)) {
        for (const scenario of scenarios) outcomes.push(tryLayer(layer, scenario, dtype, model.dim));
      }
      model.to({ dtype: "float32" });
      model.loadStateDict(kept);
    }
    for (const value of kept.values()) value.dispose();
    model.to(subject.device);

    const total = (form: Form) =>
      outcomes.filter((one) => one.form === form).reduce((sum, one) => sum + one.forward + one.backward, 0);
    const faulty = (form: Form) =>
      outcomes.filter((one) => one.form === form && one.forward + one.backward > 0);
    const names = [...new Set(outcomes.map(({ layer }) => layer))];
    const inFloat32 = outcomes.filter(({ dtype }) => dtype === "float32");
    const countsOf = (layer: string, form: Form) => {
      const mine = faulty(form).filter((one) => one.layer === layer);
      return new Set(mine.map(({ scenario }) => scenario)).size;
    };
    return {
      answer:
        `The product's layers gave ${total("mended")} values that are not finite in ${outcomes.filter(({ form }) => form === "mended").length} trials ` +
        `(${names.length} layers, ${scenarios.length} kinds of input, ${dtypes.join(", ")}); the naive forms gave ${total("naive")}.`,
      details: [
        "A softmax over scores that are all -infinity is 0 / 0. The product excludes by -1e30 instead, which is exact zero beside any real " +
          "score and an even share where there is none; LibTorch's fused attention gives zeros for such rows.",
        "NaN in rows of padding alone looks harmless, but the gradient of these rows is NaN too, and every layer below sums its weights' " +
          "gradients over all rows: one such row spoils them all. That is how the history's losses became NaN (see all-padding).",
        "The slope of a square root at 0 is infinite: naive distances of equal samples are finite forward and NaN backward, and the diagonal " +
          "of every batch is such a pair.",
        ...faulty("mended").map(
          ({ layer, scenario, dtype, forward, backward }) =>
            `Fault: ${layer}, ${scenario}, ${dtype}: ${forward} forward, ${backward} backward.`,
        ),
      ],
      tables: [
        {
          title: "Values that are not finite in float32, forward + backward",
          header: ["layer", "form", ...scenarios.map(({ name }) => name)],
          rows: names.flatMap((layer) =>
            (["mended", "naive"] as const).flatMap((form) => {
              const mine = inFloat32.filter((one) => one.layer === layer && one.form === form);
              return mine.length === 0
                ? []
                : [[layer, form, ...mine.map(({ forward, backward }) => `${forward} + ${backward}`)]];
            }),
          ),
        },
      ],
      plots: [
        {
          name: "layers",
          plot: await barChart({
            title: "Kinds of input that give NaN or infinity",
            valueTitle: `of ${scenarios.length} kinds of input`,
            bars: names.flatMap((layer) =>
              (["mended", "naive"] as const)
                .filter((form) => outcomes.some((one) => one.layer === layer && one.form === form))
                .map((form) => ({ label: layer, series: form, value: countsOf(layer, form) })),
            ),
          }),
          caption: "In any of the three dtypes, forward or backward.",
        },
      ],
      numbers: { outcomes },
      verdicts: [
        {
          name: "values of the product's layers that are not finite",
          value: total("mended"),
          relation: "=",
          threshold: 0,
          holds: "No layer makes NaN.",
          fails: `NaN arises in ${[...new Set(faulty("mended").map(({ layer }) => layer))].join(", ")}: its mask is broken.`,
        },
        {
          name: "values of the naive forms that are not finite",
          value: total("naive"),
          relation: ">",
          threshold: 0,
          holds: "The history is reproduced: naive forms give NaN.",
          fails: "The naive forms give no NaN: the inputs do not show what they are to show.",
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(attentionPoolingNan);
