import { expect, test } from "bun:test";
import { sampleTable } from "../../src/training/report/runReport.ts";

const ids = { name: "sample_id", values: ["a", "b"] };
const numbers = (name: string, ...values: number[]) => ({ name, values: Float64Array.from(values) });

test("the report's table of samples has an error for each of several targets", () => {
  const { columns, rows } = sampleTable([
    ids,
    numbers("prediction_month", 3, 5),
    numbers("actual_month", 1, Number.NaN),
    numbers("prediction_day", 90, 150),
    numbers("actual_day", 100, 140),
  ]);
  expect(columns.slice(5)).toEqual([
    { name: "error_month", kind: "error" },
    { name: "error_day", kind: "error" },
  ]);
  expect(rows.map((row) => row.slice(5))).toEqual([
    [2, 10],
    [null, 10],
  ]);
});

test("it has one error for one target, quantiles or not, and none for classes", () => {
  const one = [ids, numbers("prediction", 3, 5), numbers("actual", 1, 6), numbers("q0.1", 0, 0)];
  expect(sampleTable(one).columns.map(({ name }) => name)).toEqual([...one.map(({ name }) => name), "error"]);
  const classes = [
    ids,
    { name: "prediction", values: ["x", "y"] },
    { name: "actual", values: ["x", "x"] },
    numbers("p_x", 0.9, 0.4),
  ];
  expect(sampleTable(classes).columns.map(({ kind }) => kind)).toEqual(["text", "text", "text", "number"]);
});
