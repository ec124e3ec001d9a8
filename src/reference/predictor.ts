import type { CategoryIds } from "../models/categoricalEmbedder.ts";
import {
  type AttentionFusion,
  type AttentionFusionOptions,
  CrossAttentionFusion,
  PerceiverFusion,
  type PerceiverOptions,
} from "../models/fusion.ts";
import { type PredictRequest, SequencePredictor } from "../models/sequencePredictor.ts";
import type * as torch from "../torch/index.ts";
import { setReferencePredictor } from "../training/config/buildModel.ts";

/** All columns are one single key, so that every weight is 1. */
class SingleKeyFusion extends CrossAttentionFusion {
  override forward(slots: torch.Tensor, categories: torch.Tensor): AttentionFusion {
    return this.attend(slots, categories.unsqueeze(1), false);
  }
}

/** Attends to empty slots as well. */
class UnmaskedPerceiver extends PerceiverFusion {
  override forward(slots: torch.Tensor, categories: torch.Tensor): AttentionFusion {
    return super.forward(slots, categories, null);
  }
}

/**
 * The predictor of the original AAM with its defects, for the numbers of converted models: a frozen encoder
 * keeps dropout and masks, cross-attention has a single key, a perceiver attends to empty slots and keeps an
 * unused transformer, and batches without categories bypass the fusion.
 */
export class ReferencePredictor extends SequencePredictor {
  protected override makeCrossAttention(options: AttentionFusionOptions): CrossAttentionFusion {
    return new SingleKeyFusion(options);
  }

  protected override makePerceiver(options: PerceiverOptions): PerceiverFusion {
    return new UnmaskedPerceiver(options);
  }

  protected override poolsBesides(): boolean {
    return true;
  }

  protected override idsOf(request: PredictRequest): CategoryIds | null {
    return request.categories ?? null;
  }

  override train(on = true): this {
    super.train(on);
    this.baseModel.train(on);
    return this;
  }
}

setReferencePredictor(ReferencePredictor);
