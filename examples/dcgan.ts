/**
 * A DCGAN: one network draws pictures from noise, another tells them from real ones, and each learns from
 * the other. The real ones are bright discs of any place and size.
 *
 *     bun examples/dcgan.ts
 */
import * as torch from "aam-bun/torch";

const { nn } = torch;
const side = 16;
const noiseSize = 16;

/** Pictures [n, 1, side, side] from -1 to 1: a bright disc on a dark ground. */
function discs(count: number): torch.Tensor {
  return torch.tidy(() => {
    const at = torch.arange(side);
    const [x, y, radius] = torch.rand([3, count, 1, 1]).unbind(0);
    const place = (value: torch.Tensor) => value.mul(side - 9).add(4);
    const across = at.view([1, -1]).sub(place(x)).square();
    const distance = at.view([-1, 1]).sub(place(y)).square().add(across).sqrt();
    return radius.mul(2).add(2).sub(distance).clamp(-1, 1).unsqueeze(1);
  });
}

/** How well pictures are discs: the share of their brightness that the disc around its centre explains. */
function roundness(pictures: torch.Tensor): number {
  return torch.tidy(() => {
    const light = pictures.squeeze(1).add(1).div(2);
    const at = torch.arange(side).float();
    const total = light.sum([1, 2], true).add(1e-6);
    const x = light
      .mul(at.view([1, 1, -1]))
      .sum([1, 2], true)
      .div(total);
    const y = light
      .mul(at.view([1, -1, 1]))
      .sum([1, 2], true)
      .div(total);
    const distance = at
      .view([1, 1, -1])
      .sub(x)
      .square()
      .add(at.view([1, -1, 1]).sub(y).square())
      .sqrt();
    const disc = total.div(Math.PI).sqrt().sub(distance).clamp(-1, 1).add(1).div(2);
    const shared = light
      .minimum(disc)
      .sum([1, 2])
      .div(light.maximum(disc).sum([1, 2]));
    return shared.mean().item();
  });
}

const generator = new nn.Sequential(
  ...[new nn.ConvTranspose2d(noiseSize, 32, 4, { bias: false }), new nn.BatchNorm2d(32), new nn.ReLU()],
  new nn.ConvTranspose2d(32, 16, 4, { stride: 2, padding: 1, bias: false }),
  ...[new nn.BatchNorm2d(16), new nn.ReLU()],
  ...[new nn.ConvTranspose2d(16, 1, 4, { stride: 2, padding: 1 }), new nn.Tanh()],
);
const critic = new nn.Sequential(
  ...[new nn.Conv2d(1, 16, 4, { stride: 2, padding: 1 }), new nn.LeakyReLU(0.2)],
  new nn.Conv2d(16, 32, 4, { stride: 2, padding: 1, bias: false }),
  ...[new nn.BatchNorm2d(32), new nn.LeakyReLU(0.2), new nn.Conv2d(32, 1, 4), new nn.Flatten(0)],
);

torch.manualSeed(1);
for (const network of [generator, critic])
  network.apply((layer) => {
    if (layer instanceof nn.Conv2d || layer instanceof nn.ConvTranspose2d)
      nn.init.normal_(layer.weight, 0, 0.05);
  });
const settings = { lr: 1e-3, betas: [0.5, 0.999] as const };
const [drawing, judging] = [generator, critic].map((net) => new torch.optim.Adam(net.parameters(), settings));
const criterion = (scores: torch.Tensor, real: boolean) =>
  nn.functional.binaryCrossEntropyWithLogits(scores, torch.fullLike(scores, real ? 1 : 0));
const noise = torch.randn([64, noiseSize, 1, 1]);

console.log(`real: roundness ${roundness(discs(256)).toFixed(3)}`);
for (let step = 0; step <= 400; step++) {
  using _step = torch.scope();
  if (step % 100 === 0)
    console.log(
      `step ${step}: roundness ${roundness(torch.noGrad(() => generator.forward(noise))).toFixed(3)}`,
    );
  const drawn = generator.forward(torch.randn([32, noiseSize, 1, 1]));
  judging.zeroGrad();
  criterion(critic.forward(discs(32)), true)
    .add(criterion(critic.forward(drawn.detach()), false))
    .backward();
  judging.step();
  drawing.zeroGrad();
  criterion(critic.forward(drawn), true).backward();
  drawing.step();
}
