import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

type AnyOptimizer = torch.optim.Optimizer<{ lr: number }>;
type OptimizerClass = new (params: torch.Tensor[], options: object) => AnyOptimizer;

/** Every optimizer with settings under which all of its state matters; LBFGS takes a closure. */
const variants: [name: string, options: object][] = Object.entries(torch.optim)
  .filter(([, value]) => typeof value === "function" && value.prototype instanceof torch.optim.Optimizer)
  .flatMap(([name]): [string, object][] => {
    // Its gradients are sparse: see sparse.test.ts.
    if (name === "SparseAdam") return [];
    if (name === "SGD")
      return [
        [name, { lr: 0.1 }],
        [name, { lr: 0.1, momentum: 0.9, nesterov: true }],
      ];
    if (name === "RMSprop") return [[name, { lr: 0.1, momentum: 0.9, centered: true }]];
    if (name !== "Adam" && name !== "AdamW") return [[name, { lr: 0.1 }]];
    const forms = [
      {},
      { foreach: true },
      { foreach: false },
      { fused: false, amsgrad: true },
      { amsgrad: true, maximize: true },
    ];
    return forms.map((form) => [name, { lr: 0.1, weightDecay: 0.1, ...form }]);
  });

/** How a [2, 3] tensor can lie in a larger one: the base, and the view of it. */
const layouts: Record<string, () => [base: torch.Tensor, view: torch.Tensor]> = {
  contiguous: () => {
    const base = torch.randn([2, 3]);
    return [base, base];
  },
  "columns of a larger one": () => {
    const base = torch.randn([2, 7]);
    return [base, base.at({}, { start: 2, stop: 5 })];
  },
  "every other column": () => {
    const base = torch.randn([2, 6]);
    return [base, base.at({}, { step: 2 })];
  },
  transposed: () => {
    const base = torch.randn([3, 2]);
    return [base, base.t()];
  },
  "transposed slice": () => {
    const base = torch.randn([5, 4]);
    return [base, base.at({ stop: 3 }, { start: 1, stop: 3 }).t()];
  },
};

/** Gradients of the given values that lie otherwise in memory. */
const gradients: Record<string, (values: torch.Tensor) => torch.Tensor> = {
  contiguous: (values) => values.clone(),
  transposed: (values) => values.t().contiguous().t(),
  expanded: (values) => values.at({ stop: 1 }, { stop: 1 }).clone().expand([2, 3]),
  "columns of a larger one": (values) => torch.cat([values, values.add(5)], 1).at({}, { stop: 3 }),
};

test("optimizers update parameters and take gradients of any strides, and touch nothing else", () => {
  let count = 0;
  for (const [name, options] of variants) {
    const Class = (torch.optim as unknown as Record<string, OptimizerClass>)[name];
    for (const [layout, makeBase] of Object.entries(layouts)) {
      for (const [kind, lay] of Object.entries(gradients)) {
        using _s = torch.scope();
        const [base, view] = makeBase();
        const before = base.clone();
        const others = othersThan(base, view);
        const strided = new torch.nn.Parameter(view);
        const plain = new torch.nn.Parameter(view.clone({ memoryFormat: "contiguous" }));
        const optimizers = [new Class([strided], options), new Class([plain], options)];
        for (let step = 0; step < 3; step++) {
          const gradient = lay(torch.randn([2, 3]));
          const set = () => {
            strided.grad = gradient;
            plain.grad = gradient.clone({ memoryFormat: "contiguous" });
            return torch.tensor(1);
          };
          set();
          for (const optimizer of optimizers) optimizer.step(set);
        }
        const label = `${name} ${JSON.stringify(options)}: parameter ${layout}, gradient ${kind}`;
        const largest = strided.detach().sub(plain.detach()).abs().max().item();
        expect([label, largest < 1e-6]).toEqual([label, true]);
        expect([label, base.maskedSelect(others).equal(before.maskedSelect(others))]).toEqual([label, true]);
        for (const optimizer of optimizers) optimizer.dispose();
        count++;
      }
    }
  }
  console.log(`${count} combinations of optimizers, layouts of parameters and of gradients`);
});

/** True for the elements of a tensor that are none of a view of it. */
function othersThan(base: torch.Tensor, view: torch.Tensor): torch.Tensor {
  const values = base.clone();
  view.fill_(Number.NaN);
  const others = base.isnan().logicalNot();
  base.copy_(values);
  return others;
}
