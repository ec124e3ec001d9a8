import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const { func, nn } = torch;
const f64 = { dtype: "float64" } as const;
const near = (a: torch.Tensor, b: torch.Tensor) => {
  expect(a.shape).toEqual(b.shape);
  expect(torch.allclose(a, b, 1e-9, 1e-9)).toBe(true);
};

test("grad and its nesting, several arguments, structures, aux", () => {
  using _s = torch.scope();
  const x = torch.randn([4], f64);
  const sine = (v: torch.Tensor) => v.sin().sum();
  near(func.grad(sine)(x), x.cos());
  near(func.grad((v: torch.Tensor) => func.grad(sine)(v).sum())(x), x.sin().neg());
  const product = (a: torch.Tensor, b: torch.Tensor) => a.mul(b).sum();
  const [da, db] = func.grad(product, [0, 1])(x, x.add(1)) as torch.Tensor[];
  near(da, x.add(1));
  near(db, x);
  const weights = { w: x, nested: [x.mul(2)] };
  const found = func.grad((p: typeof weights) => p.w.mul(p.nested[0]).sum())(weights);
  near(found.w, x.mul(2));
  near(found.nested[0], x);
  const [gradient, aux] = func.grad((v: torch.Tensor) => [v.pow(2).sum(), v.mul(3)], 0, { hasAux: true })(
    x,
  ) as torch.Tensor[];
  near(gradient, x.mul(2));
  near(aux, x.mul(3));
  const [both, value] = func.gradAndValue(sine)(x);
  near(both as torch.Tensor, x.cos());
  near(value, x.sin().sum());
  expect(() => func.grad((v: torch.Tensor) => v)(x)).toThrow(/one element/);
  expect(() => func.grad(sine, 3)(x)).toThrow(/argument 3 of 1/);
});

test("vmap: dims, structures, nesting, chunks, randomness", () => {
  using _s = torch.scope();
  const x = torch.randn([5, 3], f64);
  const y = torch.randn([3, 5], f64);
  const dot = (a: torch.Tensor, b: torch.Tensor) => a.dot(b);
  near(func.vmap(dot, { inDims: [0, 1] })(x, y), x.mul(y.t()).sum(1));
  near(func.vmap(dot, { inDims: [0, null] })(x, y.select(1, 0)), x.mv(y.select(1, 0)));
  near(func.vmap(dot, { inDims: [0, 1], chunkSize: 2 })(x, y), x.mul(y.t()).sum(1));
  near(func.vmap(func.vmap((v: torch.Tensor) => v.pow(2)))(x), x.pow(2));
  near(func.vmap((v: torch.Tensor) => v.mul(2), { outDims: 1 })(x), x.mul(2).t());
  const parts = func.vmap((p: { a: torch.Tensor }) => [p.a.sum(), p.a.unsqueeze(0)] as const)({ a: x });
  near(parts[0], x.sum(1));
  near(parts[1], x.unsqueeze(1));
  const noise = (v: torch.Tensor) => v.add(torch.randn([3], f64));
  expect(() => func.vmap(noise)(x)).toThrow(/random/);
  const same = func.vmap(noise, { randomness: "same" })(torch.zeros([2, 3], f64));
  near(same.select(0, 0), same.select(0, 1));
  const different = func.vmap(noise, { randomness: "different" })(torch.zeros([2, 3], f64));
  expect(torch.equal(different.select(0, 0), different.select(0, 1))).toBe(false);
  expect(() => func.vmap(dot)(x, y)).toThrow(/5, 3 examples/);
  expect(() => func.vmap((v: torch.Tensor) => v.sum().item())(x)).toThrow();
  expect(() => func.vmap(dot, { inDims: [null, null] })(x, y)).toThrow(/at least one/);
  expect(() => func.vmap(dot, { inDim: 0 } as never)).toThrow(/inDim/);
});

test("Jacobians by both modes, Hessians, and torch.autograd.functional agree", () => {
  using _s = torch.scope();
  const x = torch.randn([3], f64);
  const w = torch.randn([4, 3], f64);
  const f = (v: torch.Tensor) => w.mv(v.tanh());
  const exact = w.mul(x.tanh().pow(2).neg().add(1));
  near(func.jacrev(f)(x), exact);
  near(func.jacrev(f, 0, { chunkSize: 1 })(x), exact);
  near(func.jacfwd(f)(x), exact);
  near(torch.autograd.functional.jacobian(f, x), exact);
  const cubes = (v: torch.Tensor) => v.pow(3).sum();
  near(func.hessian(cubes)(x), x.mul(6).diag());
  near(torch.autograd.functional.hessian(cubes, x), x.mul(6).diag());
  const two = func.jacrev((a: torch.Tensor, b: torch.Tensor) => [a.mul(b), b.sum()], [0, 1])(
    x,
    x,
  ) as unknown as [torch.Tensor[], torch.Tensor[]];
  near(two[0][0], x.diag());
  near(two[1][1], torch.ones([3], f64));
  near(two[1][0], torch.zeros([3], f64));
  const v = torch.randn([3], f64);
  const u = torch.randn([4], f64);
  const [, pulled] = torch.autograd.functional.vjp(f, x, u);
  near(pulled as torch.Tensor, exact.t().mv(u));
  const [, pushed] = torch.autograd.functional.jvp(f, x, v);
  near(pushed as torch.Tensor, exact.mv(v));
  const [, product] = torch.autograd.functional.hvp(cubes, x, v);
  near(product as torch.Tensor, x.mul(6).mul(v));
});

test("vjp and jvp, forward mode by hand", () => {
  using _s = torch.scope();
  const x = torch.randn([3], f64);
  const v = torch.randn([3], f64);
  const [y, pull] = func.vjp((a: torch.Tensor) => a.exp(), x);
  near(y, x.exp());
  near(pull(v)[0], x.exp().mul(v));
  near(pull(v)[0], x.exp().mul(v));
  const [out, tangent] = func.jvp((a: torch.Tensor) => a.sin(), [x], [v]);
  near(out, x.sin());
  near(tangent, x.cos().mul(v));
  const { forwardAD } = torch.autograd;
  forwardAD.dualLevel(() => {
    const { primal, tangent: direction } = forwardAD.unpackDual(forwardAD.makeDual(x, v).pow(2));
    near(primal, x.pow(2));
    near(direction!, x.mul(2).mul(v));
    expect(forwardAD.unpackDual(x).tangent).toBeNull();
    expect(() => forwardAD.dualLevel(() => 1)).toThrow(/one level/);
  });
  expect(() => forwardAD.makeDual(x, v)).toThrow(/dualLevel/);
  near(
    func.jvp((a: torch.Tensor) => func.grad((b: torch.Tensor) => b.pow(3).sum())(a), [x], [v])[1],
    x.mul(6).mul(v),
  );
});

test("functionalCall and gradients of each example", () => {
  using _s = torch.scope();
  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 1)).double();
  const x = torch.randn([6, 3], f64);
  const parameters = new Map(model.namedParameters());
  near(func.functionalCall(model, parameters, x), model.forward(x));
  const zeros = new Map([...parameters].map(([name, value]) => [name, torch.zerosLike(value)]));
  near(func.functionalCall(model, zeros, x), torch.zeros([6, 1], f64));
  expect(model.parameters().length).toBe(4);
  expect(() => func.functionalCall(model, { nothing: x }, x)).toThrow(/nothing/);
  const loss = (weights: Map<string, torch.Tensor>, one: torch.Tensor) =>
    func.functionalCall(model, weights, one).pow(2).sum();
  const each = func.vmap(func.grad(loss), { inDims: [null, 0] })(parameters, x);
  for (let i = 0; i < 6; i++) {
    model.zeroGrad();
    model.forward(x.select(0, i)).pow(2).sum().backward();
    for (const [name, value] of parameters) near(each.get(name)!.select(0, i), value.grad!);
  }
  const models = [0, 1, 2].map(() => new nn.Linear(3, 2).double());
  const [stacked] = func.stackModuleState(models);
  const outputs = func.vmap((weights: Map<string, torch.Tensor>) =>
    func.functionalCall(models[0], weights, x),
  )(stacked);
  models.forEach((one, i) => {
    near(outputs.select(0, i), one.forward(x));
  });
});
