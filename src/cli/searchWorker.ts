/** A process of its own that does trials of `search`. */
import "../reference/predictor.ts"; // the form of converted models
import { serveTrials } from "../training/search/worker.ts";

if (import.meta.main && process.send) serveTrials();
