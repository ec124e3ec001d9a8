/**
 * A DCGAN: one network draws pictures from noise, another tells them from real ones, and each learns from
 * the other. The real ones are bright discs of any place and size.
 *
 *     bun examples/dcgan.ts
 */
import * as torch from "aam-bun/torch";

const { nn } = torch;
const [side, noiseSize] = [16, 16];
const rows = torch.arange(side).view([1, -1, 1]);
const columns = torch.arange(side).view([1, 1, -1]);

/** Discs [n, side, side] with values from -1 to 1, of centres and radii [n, 1, 1]. */
const discs = (x: torch.Tensor, y: torch.Tensor, radius: torch.Tensor) =>
  radius.sub(rows.sub(y).square().add(columns.sub(x).square()).sqrt()).clamp(-1, 1);

/** Real pictures [n, 1, side, side]. */
function real(count: number): torch.Tensor {
  const [x, y, radius] = torch.rand([3, count, 1, 1]).unbind(0);
  return discs(x.mul(side - 9).add(4), y.mul(side - 9).add(4), radius.mul(2).add(2)).unsqueeze(1);
}

/** How much of the light of pictures is that of a disc of as much light around its centre: 1 for discs. */
function roundness(pictures: torch.Tensor): number {
  const light = pictures.squeeze(1).add(1.000001).div(2);
  const total = light.sum([1, 2], true);
  const mean = (at: torch.Tensor) => light.mul(at).sum([1, 2], true).div(total);
  const disc = discs(mean(columns), mean(rows), total.div(Math.PI).sqrt()).add(1).div(2);
  const shared = light
    .minimum(disc)
    .sum([1, 2])
    .div(light.maximum(disc).sum([1, 2]));
  return shared.mean().item();
}

torch.manualSeed(1);
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
for (const weight of [...generator.parameters(), ...critic.parameters()])
  if (weight.ndim === 4) nn.init.normal_(weight, 0, 0.05);
const [drawing, judging] = [generator, critic].map((network) => {
  return new torch.optim.Adam(network.parameters(), { lr: 1e-3, betas: [0.5, 0.999] });
});
const loss = (scores: torch.Tensor, isReal: boolean) =>
  nn.functional.binaryCrossEntropyWithLogits(scores, torch.fullLike(scores, isReal ? 1 : 0));
const noise = torch.randn([64, noiseSize, 1, 1]);

torch.tidy(() => console.log(`real: roundness ${roundness(real(256)).toFixed(3)}`));
for (let step = 0; step <= 400; step++) {
  using _step = torch.scope();
  if (step % 100 === 0) {
    const pictures = torch.noGrad(() => generator.forward(noise));
    console.log(`step ${step}: roundness ${roundness(pictures).toFixed(3)}`);
  }
  const drawn = generator.forward(torch.randn([32, noiseSize, 1, 1]));
  judging.zeroGrad();
  const onDrawn = loss(critic.forward(drawn.detach()), false);
  loss(critic.forward(real(32)), true)
    .add(onDrawn)
    .backward();
  judging.step();
  drawing.zeroGrad();
  loss(critic.forward(drawn), true).backward();
  drawing.step();
}
