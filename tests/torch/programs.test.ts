/** Programs of a PyTorch user's that no example shows: a few lines of training each, with an effect. */
import { expect, test } from "bun:test";
import * as torch from "../../src/torch/index.ts";

torch.setNumThreads(1);
const { nn } = torch;
const F = nn.functional;

/** Points [n, 2] on a circle of radius 2, with a little noise. */
const ring = (count: number): torch.Tensor => {
  const angle = torch.rand([count]).mul(2 * Math.PI);
  return torch
    .stack([angle.cos(), angle.sin()], 1)
    .mul(2)
    .add(torch.randn([count, 2]).mul(0.05));
};
const radius = (points: torch.Tensor): number => points.norm(2, [1]).mean().item();

test("a variational autoencoder learns to give points back and to draw new ones", () => {
  torch.manualSeed(1);
  using _s = torch.scope();
  const encoder = new nn.Sequential(new nn.Linear(2, 32), new nn.Tanh(), new nn.Linear(32, 4));
  const decoder = new nn.Sequential(new nn.Linear(2, 32), new nn.Tanh(), new nn.Linear(32, 2));
  const optimizer = new torch.optim.Adam([...encoder.parameters(), ...decoder.parameters()], { lr: 1e-2 });
  const losses: number[] = [];
  for (let step = 0; step < 300; step++) {
    using _step = torch.scope();
    const x = ring(64);
    const [mean, logVariance] = encoder.forward(x).chunk(2, 1);
    const z = mean.add(logVariance.mul(0.5).exp().mul(torch.randnLike(mean)));
    const error = F.mseLoss(decoder.forward(z), x, { reduction: "sum" }).div(0.1);
    const divergence = logVariance.add(1).sub(mean.square()).sub(logVariance.exp()).sum().mul(-0.5);
    const loss = error.add(divergence).div(64);
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    losses.push(loss.item());
  }
  expect(losses.at(-1)!).toBeLessThan(losses[0] / 4);
  const drawn = torch.noGrad(() => decoder.forward(torch.randn([200, 2])));
  expect(Math.abs(radius(drawn) - 2)).toBeLessThan(0.6);
});

test("a critic with a gradient penalty has slopes of 1, and its generator goes where the points are", () => {
  torch.manualSeed(2);
  using _s = torch.scope();
  const network = (inputs: number, outputs: number) =>
    new nn.Sequential(new nn.Linear(inputs, 32), new nn.SiLU(), new nn.Linear(32, outputs));
  const [generator, critic] = [network(2, 2), network(2, 1)];
  const [drawing, judging] = [generator, critic].map(
    (net) => new torch.optim.Adam(net.parameters(), { lr: 5e-3, betas: [0, 0.9] }),
  );
  const before = torch.noGrad(() => radius(generator.forward(torch.randn([200, 2]))));
  let slope = 0;
  for (let step = 0; step < 300; step++) {
    using _step = torch.scope();
    const [real, fake] = [ring(64), generator.forward(torch.randn([64, 2])).detach()];
    const between = torch.lerp(fake, real, torch.rand([64, 1])).requiresGrad_();
    const [slopes] = torch.grad(critic.forward(between).sum(), [between], { createGraph: true });
    const norms = slopes.norm(2, [1]);
    const penalty = norms.sub(1).square().mean().mul(10);
    judging.zeroGrad();
    critic.forward(fake).mean().sub(critic.forward(real).mean()).add(penalty).backward();
    judging.step();
    slope = norms.mean().item();
    if (step % 2 === 1) continue;
    drawing.zeroGrad();
    critic
      .forward(generator.forward(torch.randn([64, 2])))
      .mean()
      .neg()
      .backward();
    drawing.step();
  }
  expect(Math.abs(slope - 1)).toBeLessThan(0.4);
  const after = torch.noGrad(() => radius(generator.forward(torch.randn([200, 2]))));
  expect(Math.abs(after - 2)).toBeLessThan(Math.abs(before - 2) / 2);
});

test("a network trained in mixed precision, with scaled losses, ends where float32 does", () => {
  const train = (mixed: boolean): number => {
    torch.manualSeed(3);
    using _s = torch.scope();
    const model = new nn.Sequential(new nn.Linear(2, 32), new nn.ReLU(), new nn.Linear(32, 1));
    const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 1e-2 });
    const scaler = new torch.GradScaler({ enabled: mixed });
    let last = 0;
    for (let step = 0; step < 200; step++) {
      using _step = torch.scope();
      const x = torch.randn([64, 2]);
      const loss = torch.autocast({ dtype: "bfloat16", enabled: mixed }, () => {
        const output = model.forward(x);
        expect(output.dtype).toBe(mixed ? "bfloat16" : "float32");
        return F.mseLoss(output.float(), x.prod(1, true));
      });
      optimizer.zeroGrad();
      scaler.scale(loss).backward();
      scaler.step(optimizer);
      scaler.update();
      last = loss.item();
    }
    return last;
  };
  const [plain, mixed] = [train(false), train(true)];
  expect(plain).toBeLessThan(0.4);
  expect(Math.abs(mixed - plain)).toBeLessThan(0.1);
});
