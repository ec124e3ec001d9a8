import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { disagreement } from "./agreement.ts";

type Settings = Readonly<Record<string, number | boolean | string | readonly number[]>>;
type Named = Readonly<Record<string, string>>;

export interface OptimizerCase {
  readonly kind: "optimizer";
  readonly name: string;
  readonly optimizer: string;
  readonly options: Settings;
  /** Gradients of the rows that are not zero. */
  readonly sparse: boolean;
  readonly groups: readonly { readonly params: readonly string[]; readonly options: Settings }[];
  readonly parameters: Named;
  readonly grads: readonly Named[];
  readonly after: Readonly<Record<string, Named>>;
  readonly state: Readonly<Record<string, Named>>;
  readonly tolerance: number;
}

export interface ScheduleCase {
  readonly kind: "schedule";
  readonly name: string;
  readonly scheduler: string;
  readonly options: Settings;
  readonly base: readonly number[];
  readonly metrics: readonly number[] | null;
  readonly rates: readonly (readonly number[])[];
  /** The first beta of each group at the end. */
  readonly momentum: readonly number[];
  readonly tolerance: number;
}

/** LBFGS down a loss of the parameters: sum(scale (p - target)^2 + 0.1 p^4). */
export interface DescentCase {
  readonly kind: "descent";
  readonly name: string;
  readonly options: Settings;
  readonly parameters: Named;
  readonly targets: Named;
  readonly scales: Named;
  readonly after: readonly Named[];
  readonly losses: readonly number[];
  readonly evaluations: readonly number[];
  readonly tolerance: number;
}

/** Several schedules of one optimizer at once. */
export interface ChainCase {
  readonly kind: "chain";
  readonly name: string;
  readonly parts: readonly { readonly scheduler: string; readonly options: Settings }[];
  readonly base: readonly number[];
  readonly rates: readonly (readonly number[])[];
  readonly tolerance: number;
}

export interface ClipCase {
  readonly kind: "clip";
  readonly name: string;
  readonly function: string;
  readonly args: readonly number[];
  readonly kwargs: Readonly<Record<string, number | "Infinity">>;
  readonly grads: Named;
  readonly after: Named;
  readonly norm: number | null;
  readonly tolerance: number;
}

type Tensors = ReadonlyMap<string, torch.Tensor>;
type AnyOptimizer = torch.optim.Optimizer<{ lr: number }>;
type Group = { params: torch.Tensor[] } & Record<string, unknown>;
type OptimizerClass = new (groups: Group[], options: Record<string, unknown>) => AnyOptimizer;
/** What every schedule can do; a plateau's step takes the watched value. */
interface AnyScheduler {
  step(value?: number): void;
  stateDict(): torch.optim.SchedulerState;
  loadStateDict(state: torch.optim.SchedulerState): void;
}
type SchedulerClass = new (
  optimizer: torch.optim.Scheduled,
  options: Record<string, unknown>,
) => AnyScheduler;

const classes = torch.optim as unknown as Record<string, OptimizerClass & SchedulerClass>;

/** PyTorch's settings under our names: `T_max` is `tMax`. */
function settings(options: Settings): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => [camelCase(key).replace(/^T/, "t"), value]),
  );
}

function compareNamed(
  found: ReadonlyMap<string, torch.Tensor>,
  expected: Named,
  tensors: Tensors,
  tolerance: number,
  label: string,
): string[] {
  return Object.entries(expected).flatMap(([name, key]) => {
    const fault = disagreement(found.get(name), tensors.get(key)!, tolerance);
    return fault ? [`${label} ${name} ${fault}`] : [];
  });
}

/** Ten steps with given gradients: parameters after some of them, and the state at the end. */
export function runOptimizer(test: OptimizerCase, tensors: Tensors): string[] {
  const wrong: string[] = [];
  const names = Object.keys(test.parameters);
  const parameters = new Map(
    names.map((name) => [name, torch.nn.parameter(tensors.get(test.parameters[name])!.clone())] as const),
  );
  const groups = test.groups.map(({ params, options }) => ({
    params: params.map((name) => parameters.get(name)!),
    ...settings(options),
  }));
  const optimizer = new classes[test.optimizer](groups, settings(test.options));
  test.grads.forEach((grads, i) => {
    using _s = torch.scope();
    for (const [name, parameter] of parameters) {
      const gradient = name in grads ? tensors.get(grads[name])!.clone() : null;
      parameter.grad = test.sparse && gradient ? gradient.toSparse(1) : gradient;
    }
    optimizer.step();
    const expected = test.after[String(i + 1)];
    if (expected) wrong.push(...compareNamed(parameters, expected, tensors, test.tolerance, `step ${i + 1}`));
  });
  const order = test.groups.flatMap(({ params }) => params);
  const { state } = optimizer.stateDict();
  for (const [name, expected] of Object.entries(test.state)) {
    const own = state.get(order.indexOf(name)) ?? new Map();
    const states = new Map(
      [...own].flatMap(([key, value]): [string, torch.Tensor][] =>
        value instanceof torch.Tensor ? [[key, value.isSparse ? value.toDense() : value]] : [],
      ),
    );
    wrong.push(...compareNamed(states, expected, tensors, test.tolerance, `state of ${name}`));
  }
  optimizer.dispose();
  for (const parameter of parameters.values()) parameter.dispose();
  return wrong;
}

/** Three steps of LBFGS; its state goes into another one before the last. */
export function runDescent(test: DescentCase, tensors: Tensors): string[] {
  using _s = torch.scope();
  const parameters = new Map(
    Object.entries(test.parameters).map(
      ([name, key]) => [name, torch.nn.parameter(tensors.get(key)!.clone())] as const,
    ),
  );
  const make = () => new torch.optim.LBFGS(parameters.values(), settings(test.options));
  let optimizer = make();
  const wrong: string[] = [];
  const closure = () => {
    optimizer.zeroGrad();
    const losses = [...parameters].map(([name, p]) => {
      const distance = p.sub(tensors.get(test.targets[name])!).square();
      return tensors.get(test.scales[name])!.mul(distance).add(p.pow(4).mul(0.1)).sum();
    });
    const loss = losses.reduce((sum, value) => sum.add(value));
    loss.backward();
    return loss;
  };
  test.after.forEach((after, i) => {
    if (i === 2) {
      const other = make();
      other.loadStateDict(optimizer.stateDict());
      optimizer.dispose();
      optimizer = other;
    }
    const loss = optimizer.step(closure)!.item();
    if (!(Math.abs(loss - test.losses[i]) <= test.tolerance * (1 + Math.abs(test.losses[i]))))
      wrong.push(`loss of step ${i}: ${loss}, expected ${test.losses[i]}`);
    wrong.push(...compareNamed(parameters, after, tensors, test.tolerance, `step ${i}`));
    const calls = optimizer.stateDict().state.get(0)!.get("func_evals");
    // In float32 a comparison within a rounding error may go the other way.
    if (test.tolerance < 1e-6 && calls !== test.evaluations[i])
      wrong.push(`step ${i}: ${calls} calls of the closure, expected ${test.evaluations[i]}`);
  });
  optimizer.dispose();
  for (const parameter of parameters.values()) parameter.dispose();
  return wrong;
}

const groupsOf = (base: readonly number[]) => ({
  paramGroups: base.map((lr): torch.optim.ScheduledGroup => ({ lr, betas: [0.9, 0.999] })),
});

/** The rates of several schedules at once; half way they are saved and loaded into new ones. */
export function runChain(test: ChainCase): string[] {
  const make = () => {
    const optimizer = groupsOf(test.base);
    const parts = test.parts.map((part) => new classes[part.scheduler](optimizer, settings(part.options)));
    const chain = new torch.optim.ChainedScheduler(parts as unknown as torch.optim.Scheduler[], optimizer);
    return { optimizer, chain };
  };
  let { optimizer, chain } = make();
  return test.rates.flatMap((expected, i) => {
    if (i > 0) chain.step();
    if (i === 5) {
      const state = chain.stateDict();
      ({ optimizer, chain } = make());
      chain.loadStateDict(state);
    }
    return expected.flatMap((rate, group) => {
      const own = optimizer.paramGroups[group].lr;
      return Math.abs(own - rate) <= test.tolerance
        ? []
        : [`group ${group} after ${i}: ${own}, expected ${rate}`];
    });
  });
}

/**
 * The rates before the first step and after each one; half way the schedule is saved
 * and loaded into a new one.
 */
export function runSchedule(test: ScheduleCase): string[] {
  const optimizer = groupsOf(test.base);
  const make = (target: torch.optim.Scheduled) => new classes[test.scheduler](target, settings(test.options));
  let scheduler = make(optimizer);
  let groups = optimizer.paramGroups;
  const wrong: string[] = [];
  test.rates.forEach((expected, i) => {
    if (i > 0) scheduler.step(...(test.metrics ? [test.metrics[i - 1]] : []));
    if (i === Math.floor(test.rates.length / 2)) {
      const state = JSON.parse(JSON.stringify(scheduler.stateDict())) as torch.optim.SchedulerState;
      const other = groupsOf(test.base);
      scheduler = make(other);
      scheduler.loadStateDict(state);
      groups = other.paramGroups;
    }
    expected.forEach((rate, group) => {
      const own = groups[group].lr;
      if (!(Math.abs(own - rate) <= test.tolerance))
        wrong.push(`group ${group} after step ${i}: ${own}, expected ${rate}`);
    });
  });
  test.momentum.forEach((expected, group) => {
    const own = groups[group].betas![0];
    if (!(Math.abs(own - expected) <= test.tolerance)) wrong.push(`momentum ${own}, expected ${expected}`);
  });
  return wrong;
}

/** Clips given gradients: the norm before and the gradients after. */
export function runClip(test: ClipCase, tensors: Tensors): string[] {
  using _s = torch.scope();
  const parameters = new Map(
    Object.entries(test.grads).map(([name, key]) => {
      const gradient = tensors.get(key)!.clone();
      const parameter = torch.zerosLike(gradient, { requiresGrad: true });
      parameter.grad = gradient;
      return [name, parameter] as const;
    }),
  );
  const options = Object.fromEntries(
    Object.entries(test.kwargs).map(([key, value]) => [camelCase(key), Number(value)]),
  );
  const clip = (torch.nn as unknown as Record<string, (...args: unknown[]) => torch.Tensor | undefined>)[
    camelCase(test.function)
  ];
  const norm = clip(
    [...parameters.values()],
    ...test.args,
    ...(Object.keys(options).length > 0 ? [options] : []),
  );
  const after = new Map([...parameters].map(([name, parameter]) => [name, parameter.grad!] as const));
  const wrong = compareNamed(after, test.after, tensors, test.tolerance, "gradient");
  if (test.norm !== null && !(Math.abs(norm!.item() - test.norm) <= 1e-5 * (1 + test.norm)))
    wrong.push(`norm ${norm!.item()}, expected ${test.norm}`);
  return wrong;
}
