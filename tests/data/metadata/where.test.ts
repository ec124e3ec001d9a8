import { describe, expect, test } from "bun:test";
import { parseMetadata } from "../../../src/data/metadata/read.ts";
import { idsWhere } from "../../../src/data/metadata/where.ts";

const metadata = parseMetadata(
  "sample-id\tsite\tage\tp<0.05\nS1\tgut\t5\tyes\nS2\tleft palm\t10\tno\nS3\t\t\tyes\nS4\ta|b\t7.5\tno\n",
  "m.tsv",
);

describe("a condition holds for", () => {
  test.each([
    ["site=gut", ["S1"]],
    [" site = left palm ", ["S2"]],
    ["site=gut|left palm", ["S1", "S2"]],
    // A value that holds the sign is itself.
    ["site=a|b", ["S4"]],
    // Missing values fulfil nothing, as in SQL.
    ["site!=gut", ["S2", "S4"]],
    ["age=5.0", ["S1"]],
    ["age<7.5", ["S1"]],
    ["age<=7.5", ["S1", "S4"]],
    ["age>=7.5", ["S2", "S4"]],
    ["age>7.5", ["S2"]],
    // The column's name holds a sign.
    ["p<0.05=yes", ["S1", "S3"]],
  ])("%s", (condition, ids) => {
    expect([...idsWhere(metadata, condition)]).toEqual(ids);
  });
});

test.each([
  ["gut", '"gut" is no condition'],
  ["Site=gut", 'has no column "Site"; did you mean "site"?'],
  ["site=gutt", 'm.tsv: no row has "gutt" for "site" (it has "gut"'],
  ["site!=nose", 'no row has "nose"'],
  ["site<3", '"gut", not a number'],
  ["age<young", '"young" is no number'],
])("refuses %s", (condition, message) => {
  expect(() => idsWhere(metadata, condition)).toThrow(message);
});
