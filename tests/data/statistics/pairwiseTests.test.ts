import { expect, test } from "bun:test";
import { groupsOf } from "../../../src/data/statistics/grouping.ts";
import { permanova } from "../../../src/data/statistics/groupTests.ts";
import { falseDiscoveryRates, pairwise } from "../../../src/data/statistics/pairwiseTests.ts";
import { worst } from "../../helpers/uniFracTables.ts";

test("false discovery rates are those of statsmodels 0.15", () => {
  const rates = falseDiscoveryRates([0.01, 0.04, 0.03, 0.005, 0.5, 0.03]);
  expect(worst(rates, [0.03, 0.048, 0.045, 0.03, 0.5, 0.045])).toBeLessThan(1e-12);
});

test("a pair is tested as if its samples were the whole study, and two single samples are not", () => {
  const ids = ["a", "b", "c", "d", "e", "f"];
  const values = Float64Array.from({ length: 15 }, (_, pair) => 1 + ((pair * 7) % 11));
  const pairs = pairwise(permanova, { ids, values }, groupsOf(["x", "x", "y", "y", "z", "w"]), {
    permutations: 19,
  });
  expect(pairs.map(({ pair }) => pair.join())).toEqual(["w,x", "w,y", "x,y", "x,z", "y,z"]);
  // x and y are the first four samples: pairs 0 to 2, 5, 6 and 9.
  const first = {
    ids: ids.slice(0, 4),
    values: Float64Array.from([0, 1, 2, 5, 6, 9], (pair) => values[pair]),
  };
  const alone = permanova(first, groupsOf(["x", "x", "y", "y"]), { permutations: 19 });
  expect(pairs[2]).toMatchObject({ ...alone });
});

test("groups whose samples are all at one place are left out, and the others are tested", () => {
  // a to d are alike, e and f lie apart.
  const values = Float64Array.from([0, 0, 0, 1, 2, 0, 0, 1, 2, 0, 1, 2, 1, 2, 1]);
  const groups = groupsOf(["x", "x", "y", "y", "z", "z"]);
  const pairs = pairwise(permanova, { ids: [..."abcdef"], values }, groups, { permutations: 9 });
  expect(pairs.map(({ pair }) => pair.join())).toEqual(["x,z", "y,z"]);
  expect(pairs.every(({ statistic, q }) => statistic > 0 && q <= 1)).toBe(true);
});
