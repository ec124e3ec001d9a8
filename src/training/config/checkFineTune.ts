import { UserError } from "../../common/userError.ts";
import { type FineTuneConfig, trainingSchema } from "./config.ts";

const usualDecay = trainingSchema.parse({}).weightDecay;

/**
 * Refuses options that contradict each other or have no effect, before any work is done.
 * @throws UserError
 */
export function checkFineTune(config: FineTuneConfig, { isClassifier }: { isClassifier: boolean }): void {
  const { target, categorical: categories, freezeBase, pretrainedEncoder, bestMetric, training } = config;
  const refuse = (wrong: boolean, text: string) => {
    if (wrong) throw new UserError(text);
  };
  refuse(
    Array.isArray(config.data.dataset),
    "Several data sets are learned together by `pretrain` alone; give one --dataset.",
  );
  refuse(
    freezeBase && pretrainedEncoder === null,
    "--freeze-base would keep the encoder's random weights; give the --pretrained-encoder to keep.",
  );
  refuse(
    target.quantiles !== null && target.lossType !== "quantile",
    "--quantiles needs --loss-type quantile; add it, or leave the quantiles out.",
  );
  refuse(
    target.lossType !== "asymmetric" && (target.overPenalty !== 1 || target.underPenalty !== 1),
    "--over-penalty and --under-penalty need --loss-type asymmetric; add it, or leave them out.",
  );
  refuse(
    target.boundedTargets && !target.transform.endsWith("minmax"),
    `--bounded-targets gives values from 0 to 1, which --target-transform ${target.transform} does not; use minmax or log-minmax.`,
  );
  refuse(
    target.boundedTargets && target.lossType === "quantile",
    "--bounded-targets does not go with quantiles; leave one of them out.",
  );
  refuse(
    target.transform === "zscore-category" && target.normalizeBy.length === 0,
    "--target-transform zscore-category needs --normalize-by with the columns to normalize by.",
  );
  refuse(
    target.transform !== "zscore-category" && target.normalizeBy.length > 0,
    "--normalize-by needs --target-transform zscore-category; add it, or leave the columns out.",
  );
  refuse(
    target.outputActivation !== "none" && target.boundedTargets,
    "--output-activation and --bounded-targets exclude each other; leave one out.",
  );
  refuse(
    !isClassifier &&
      (target.outputActivation === "relu" ||
        target.outputActivation === "softplus" ||
        target.outputActivation === "exp") &&
      target.transform.includes("zscore"),
    `--output-activation ${target.outputActivation} gives no negative values, but --target-transform ${target.transform} needs them; use none or minmax.`,
  );
  refuse(
    target.residualRegressionHead && target.regressorHiddenDims.length === 0,
    "--residual-regression-head needs --regressor-hidden-dims.",
  );
  refuse(
    target.regressorDropout > 0 && target.regressorHiddenDims.length === 0,
    "--regressor-dropout lies between hidden layers; give --regressor-hidden-dims.",
  );
  refuse(
    !isClassifier && target.classWeights !== null,
    "--class-weights is for classes; the target holds numbers.",
  );
  refuse(
    target.lossConfig !== null && (target.lossType === "quantile" || target.lossType === "asymmetric"),
    `--loss-config does not go with --loss-type ${target.lossType}.`,
  );
  refuse(
    target.lossConfig !== null && categories.lossWeights !== null,
    "--loss-config and --categorical-loss-weights cannot be combined.",
  );
  const unknown = categories.conditionalOutputScaling.find((name) => !categories.columns.includes(name));
  refuse(
    unknown !== undefined,
    `--conditional-output-scaling names "${unknown}", which is not among --categorical-columns.`,
  );
  refuse(
    categories.conditionalOutputScaling.length > 0 && target.lossType === "quantile",
    "--conditional-output-scaling leaves quantiles as they are; leave one of them out.",
  );
  refuse(
    target.learnableOutputScale && target.lossType === "quantile",
    "--learnable-output-scale leaves quantiles as they are; leave one of them out.",
  );
  refuse(
    categories.lossWeights !== null &&
      categories.columns.length === 0 &&
      categories.lossWeightColumn.length === 0,
    "--categorical-loss-weights needs --categorical-columns or --categorical-loss-weight-column.",
  );
  refuse(
    categories.lossWeightColumn.length > 0 && categories.lossWeights === null,
    "--categorical-loss-weight-column needs --categorical-loss-weights.",
  );
  refuse(
    categories.lr !== null && categories.columns.length === 0,
    "--categorical-lr needs --categorical-columns.",
  );
  refuse(
    categories.columns.some((name) => target.metadataColumn.includes(name)),
    "A column cannot be predicted and given to the model as a category as well; leave it out of one.",
  );
  const own = isClassifier ? ["r2", "mae", "rmse"] : ["accuracy", "f1", "auc"];
  refuse(
    own.includes(bestMetric),
    `--best-metric ${bestMetric} does not exist for ${isClassifier ? "classes; use accuracy, f1, auc, target_loss or val_loss" : "numbers; use r2, mae, rmse, target_loss or val_loss"}.`,
  );
  refuse(
    freezeBase && target.penalty === 0 && !target.countPrediction,
    "With --freeze-base and --target-penalty 0 there is nothing to learn.",
  );
  refuse(
    config.valPredictionPasses > 1 && config.model.asvSampling !== "random",
    "--val-prediction-passes needs --asv-sampling random: otherwise all passes are the same.",
  );
  const blocks = target.pooling === "blocks";
  refuse(
    target.transform === "auto" && !blocks,
    "--target-transform auto needs --target-pooling blocks; add it, or choose a transform.",
  );
  refuse(
    target.ridge !== "auto" && !blocks,
    "--ridge is for --target-pooling blocks; add it, or use --weight-decay.",
  );
  refuse(
    blocks && target.ridge === "auto" && training.weightDecay !== usualDecay,
    "training.weightDecay is settled by target.ridge with --target-pooling blocks; leave it out, or give --ridge.",
  );
  refuse(
    blocks && training.optimizer !== "sgd",
    `--ridge is a weight decay that --optimizer ${training.optimizer} does not apply as one; with --target-pooling blocks give --optimizer sgd.`,
  );
  refuse(
    target.power !== 0.75 && target.transform !== "power-zscore",
    "--target-power needs --target-transform power-zscore; add it, or leave the power out.",
  );
  refuse(
    target.huberDelta !== 1 && target.lossType !== "huber",
    "--huber-delta needs --loss-type huber; add it, or leave it out.",
  );
  const sums = target.pooling === "sum" || blocks;
  const summing = `--target-pooling ${target.pooling}`;
  refuse(
    sums && !freezeBase,
    `${summing} adds up ASVs of an encoder that stays as it is; give --freeze-base and the --pretrained-encoder.`,
  );
  refuse(
    sums && (categories.columns.length > 0 || target.countPrediction),
    `${summing} does not go with ${target.countPrediction ? "--count-prediction" : "--categorical-columns"}; leave one of them out.`,
  );
  const { embeddingDim } = config.model;
  refuse(
    target.pooling === "codes" && config.model.encoder !== "set",
    "--target-pooling codes needs a set encoder; give --encoder set, or --target-pooling attention.",
  );
  refuse(
    target.pooling === "codes" &&
      categories.columns.length > 0 &&
      (categories.fusion === "cross-attention" || categories.fusion === "perceiver"),
    `--target-pooling codes does not go with --categorical-fusion ${categories.fusion}, which attends to single ASVs; use attention.`,
  );
  refuse(
    (categories.fusion === "cross-attention" || categories.fusion === "perceiver") &&
      categories.columns.length > 0 &&
      embeddingDim % categories.crossAttnHeads !== 0,
    `--cross-attn-heads ${categories.crossAttnHeads} must divide the embedding dimension ${embeddingDim}.`,
  );
  refuse(
    training.penalty === 0 && target.penalty === 0 && training.nucPenalty === 0,
    "All losses have weight 0.",
  );
}
