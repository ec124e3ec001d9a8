import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Finding } from "../../debug/lib/finding.ts";
import {
  type Context,
  type Investigation,
  type Settings,
  settingsOf,
} from "../../debug/lib/investigation.ts";
import { type DemoSize, demoSubject } from "../../debug/lib/openSubject.ts";
import type { Subject } from "../../debug/lib/subject.ts";
import { isHeld } from "../../debug/lib/verdict.ts";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import * as torch from "../../src/torch/index.ts";

/** A small thread count: several test files run at once, and the models are tiny. */
torch.setNumThreads(1);

const scratch = mkdtempSync(join(tmpdir(), "aam-debug-test-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
export const context: Context = { say: () => undefined, scratch };

/** A simulated study with a small model, trained for some steps or fresh. */
export function smallSubject(trained: boolean, size: DemoSize = {}): Promise<Subject> {
  return demoSubject(context, { device: "cpu", seed: 42, trained, ...size });
}

/** Runs an investigation as its demo would, with other settings where given. */
export function investigate<S extends Settings>(
  investigation: Investigation<S>,
  subject: Subject,
  settings: Partial<S> = {},
): Promise<Finding> {
  const all = settingsOf(investigation, { ...investigation.demo, ...settings });
  return investigation.investigate(subject, all, context);
}

/** The names of the thresholds that were not kept. */
export function faultsOf(finding: Finding): string[] {
  return finding.verdicts.filter((verdict) => !isHeld(verdict)).map(({ name }) => name);
}

/** A data set of which some methods are replaced. */
export function withOverrides(dataset: Dataset, overrides: Partial<Dataset>): Dataset {
  return new Proxy(dataset, {
    get(target, key) {
      if (key in overrides) return overrides[key as keyof Dataset];
      const value = target[key as keyof Dataset] as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Replaces a module's forward until the result is disposed. */
export function breakForward<Result>(
  module: torch.nn.Module,
  broken: (original: (...args: never[]) => Result, args: unknown[]) => unknown,
): Disposable {
  const original = module.forward.bind(module) as (...args: never[]) => Result;
  Object.defineProperty(module, "forward", {
    configurable: true,
    value: (...args: unknown[]) => broken(original, args),
  });
  return { [Symbol.dispose]: () => void Reflect.deleteProperty(module, "forward") };
}
