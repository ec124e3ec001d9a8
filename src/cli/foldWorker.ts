/** A process of its own that does folds of `cross-validate` and `train --folds`. */
import "../reference/predictor.ts"; // the form of converted models
import { serveFolds } from "../training/folds/worker.ts";

if (import.meta.main && process.send) serveFolds();
