import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";
import { pcaOf } from "../../../src/training/inference/principalCoordinates.ts";

/** Components by the singular value decomposition, up to their signs. */
function bySvd(values: torch.Tensor) {
  const centred = values.sub(values.mean(0, true));
  const [u, s] = torch.linalgSvd(centred, false);
  const roots = s.toFloat64Array();
  const total = roots.reduce((sum, root) => sum + root * root, 0);
  return [0, 1].map((axis) => ({
    sizes: u.select(1, axis).mul(roots[axis]).abs().toFloat64Array(),
    share: roots[axis] ** 2 / total,
  }));
}

test("principal components are those of the singular value decomposition, whichever side is longer", () => {
  for (const shape of [
    [40, 7],
    [9, 30],
  ]) {
    using _scope = torch.scope();
    const values = torch.randn(shape, { dtype: "float64" }).mul(torch.linspace(1, 4, shape[1]));
    const { x, y, explained } = pcaOf(values);
    const wanted = bySvd(values);
    [x, y].forEach((axis, which) => {
      const { sizes, share } = wanted[which];
      axis.forEach((value, i) => {
        expect(Math.abs(value)).toBeCloseTo(sizes[i], 4);
      });
      expect(explained[which]).toBeCloseTo(share, 6);
    });
  }
});

test("one number for each sample has one component, and samples that are all alike have none", () => {
  using _scope = torch.scope();
  const line = pcaOf(torch.tensor([[1], [2], [6]]));
  expect(Array.from(line.x, Math.abs)).toEqual([2, 1, 3]);
  expect([[...line.y], line.explained]).toEqual([
    [0, 0, 0],
    [1, 0],
  ]);
  expect(pcaOf(torch.ones([3, 2]))).toMatchObject({ explained: [0, 0] });
});
