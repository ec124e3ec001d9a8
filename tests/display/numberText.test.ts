import { expect, test } from "bun:test";
import { describeText } from "../../src/cli/text/describeText.ts";
import { figureText } from "../../src/display/numberText.ts";

test("figures of quality show digits in any unit", () => {
  expect([0.98765, 0, -0.25, 12345.6].map(figureText)).toEqual(["0.9877", "0.0000", "-0.2500", "12345.6000"]);
  expect([3.2e-9, -2e12, Number.NaN, Infinity].map(figureText)).toEqual([
    "3.200e-9",
    "-2.000e+12",
    "NaN",
    "Infinity",
  ]);
});

test("ranges of very small, large and close numbers are told apart, shortly", () => {
  const shown = (min: number, max: number) =>
    describeText("m.tsv", {
      kind: "metadata",
      samples: 2,
      columns: [
        {
          name: "x",
          kind: "numeric",
          missing: 0,
          range: { min, max, p5: min, p95: max, median: min, mean: min },
        },
      ],
      warnings: [],
    });
  expect(shown(3.95e-30, 8e-30)).toContain("3.95e-30 to 8e-30");
  expect(shown(3.95e300, 8e300)).toContain("3.95e+300 to 8e+300");
  expect(shown(1_000_000_004.2, 1_000_000_009)).toContain("1,000,000,004 to 1,000,000,009");
  expect(shown(1234.5678, 2020)).toContain("1,235 to 2020");
});
