import { transformerNames } from "./config.ts";

const ofTransformer = { layers: "attentionLayers", heads: "attentionHeads" };

/** Sections of a configuration, with the former names of settings in them and their names now. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "": { metric: "unifracMetric", categories: "categorical" },
  split: { validationShare: "testSize" },
  model: {
    ...ofTransformer,
    distance: "distanceForm",
    maxBases: "maxBp",
    countEmbedding: "countEmbeddingMethod",
    maskRatio: "nucMaskRatio",
    maskStrategy: "nucMaskStrategy",
  },
  ...Object.fromEntries(transformerNames.map((name) => [`model.transformers.${name}`, ofTransformer])),
  training: {
    floor: "lrFloor",
    learningRate: "lr",
    uniFracPenalty: "penalty",
    accumulationSteps: "gradientAccumulationSteps",
  },
  target: {
    columns: "metadataColumn",
    loss: "lossType",
    lossByColumn: "lossConfig",
    bounded: "boundedTargets",
    learnableScale: "learnableOutputScale",
    activation: "outputActivation",
    hiddenDims: "regressorHiddenDims",
    headDropout: "regressorDropout",
    residualHead: "residualRegressionHead",
  },
  categorical: {
    heads: "crossAttnHeads",
    latents: "perceiverNumLatents",
    perceiverLayers: "perceiverNumLayers",
    scaledColumns: "conditionalOutputScaling",
    lossWeightColumns: "lossWeightColumn",
    learningRate: "lr",
  },
};

/**
 * A configuration, as an older run or file may have it, with each setting under its present name.
 * `section` is the place of what is given, where it is a part of one; `tell` is told of each former name, as
 * places in the whole.
 */
export function withPresentNames(
  config: unknown,
  section = "",
  tell: (former: string, present: string) => void = () => {},
): unknown {
  if (typeof config !== "object" || config === null || Array.isArray(config)) return config;
  const names = renamed[section] ?? {};
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => {
      const present = Object.hasOwn(names, name) ? names[name] : name;
      // One that is there under both names is left to the schema, which refuses the former one.
      const key = present in config ? name : present;
      const within = section === "" ? "" : `${section}.`;
      if (key !== name) tell(within + name, within + key);
      return [key, withPresentNames(value, within + key, tell)];
    }),
  );
}
