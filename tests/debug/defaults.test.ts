import { beforeAll, expect, test } from "bun:test";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measure, readResults } from "../../debug/defaults.ts";
import { configurations } from "../../debug/lib/configurations.ts";
import { type Conditions, defaultsTable } from "../../debug/lib/defaultsTable.ts";
import type { Subject } from "../../debug/lib/subject.ts";
import { context, smallSubject } from "./faults.ts";

const conditions: Conditions = { steps: 3, minutes: null, embeddingDim: 16, layers: 1, heads: 2 };
const named = (name: string) => configurations.find((configuration) => configuration.name === name)!;
let subject: Subject;
beforeAll(async () => {
  subject = await smallSubject(false, { samples: 60 });
});

test("every configuration has a name of its own and can be trained", async () => {
  expect(new Set(configurations.map(({ name }) => name)).size).toBe(configurations.length);
  for (const configuration of configurations) {
    const result = await measure(configuration, 1, subject, { ...conditions, steps: 1 });
    expect(Number.isFinite(result.r2)).toBe(true);
  }
});

test("a configuration and a seed give the same result again, and forms differ", async () => {
  const first = await measure(named("raw"), 1, subject, conditions);
  const again = await measure(named("raw"), 1, subject, conditions);
  expect(again.r2).toBe(first.r2);
  const learned = await measure(named("tanh-learned"), 1, subject, conditions);
  expect(learned.tanhScale).not.toBe(1);
  expect(learned.r2).not.toBe(first.r2);
});

test("results go on after a line that was cut off, and the table gives the gain by seed", async () => {
  const path = join(context.scratch, "results.jsonl");
  const raw = await measure(named("raw"), 1, subject, conditions);
  const other = { ...raw, name: "batch 16", r2: raw.r2 + 0.25 };
  writeFileSync(path, `${JSON.stringify(raw)}\n${JSON.stringify(other)}\n`);
  appendFileSync(path, '{"name": "batch 64", "se');
  const results = readResults(path);
  expect(results).toEqual([raw, other]);
  const text = defaultsTable(results, "A study.").markdown("r2.png");
  expect(text).toMatch(/\| batch 16 \| batches of 16 \| 1 \|.*\| 0\.25 \|/);
  expect(text).toContain("Best so far: **batch 16**");
});
