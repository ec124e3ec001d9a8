/**
 * A residual network that tells shapes apart: circles, squares, triangles and crosses of any place and size,
 * on noisy pictures.
 *
 *     bun examples/resnet.ts
 */
import * as torch from "aam-bun/torch";

const { nn } = torch;
const [side, shapes] = [20, 4];

/** Pictures [n, 1, side, side] and which shape they show [n]. */
function draw(count: number): [torch.Tensor, torch.Tensor] {
  return torch.tidy(() => {
    const labels = torch.randint(shapes, [count]);
    const [left, top, random] = torch.rand([3, count, 1, 1]).unbind(0);
    const at = torch.arange(side).sub(side / 2 - 3);
    const size = random.mul(3).add(3.5);
    const x = at.view([1, 1, -1]).sub(left.mul(6)).div(size);
    const y = at.view([1, -1, 1]).sub(top.mul(6)).div(size);
    const [wide, high] = [x.abs(), y.abs()];
    const forms = torch.stack([
      x.square().add(y.square()).le(1),
      wide.maximum(high).le(0.85),
      y.le(0.9).logicalAnd(wide.mul(2).sub(y).le(0.9)),
      wide.minimum(high).le(0.25).logicalAnd(wide.maximum(high).le(1)),
    ]);
    const pictures = forms.at(labels, torch.arange(count)).float();
    return [pictures.add(torch.randn(pictures.shape).mul(0.3)).unsqueeze(1), labels];
  });
}

const convolution = (inputs: number, outputs: number, size: number, stride = 1) => [
  new nn.Conv2d(inputs, outputs, size, { stride, padding: Math.floor(size / 2), bias: false }),
  new nn.BatchNorm2d(outputs),
];

/** Two convolutions around which the input goes on; through one of size 1 where its size changes. */
class Block extends nn.Module {
  readonly body: torch.nn.Sequential;
  readonly around: torch.nn.Sequential;
  constructor(inputs: number, outputs: number, stride: number) {
    super();
    const first = convolution(inputs, outputs, 3, stride);
    this.body = new nn.Sequential(...first, new nn.ReLU(), ...convolution(outputs, outputs, 3));
    this.around = new nn.Sequential(...(stride === 1 ? [] : convolution(inputs, outputs, 1, stride)));
  }
  forward(x: torch.Tensor): torch.Tensor {
    return this.body.forward(x).add(this.around.forward(x)).relu();
  }
}

torch.manualSeed(1);
const model = new nn.Sequential(
  ...[...convolution(1, 16, 3), new nn.ReLU()],
  ...[new Block(16, 16, 1), new Block(16, 32, 2), new Block(32, 64, 2)],
  ...[new nn.AdaptiveAvgPool2d(1), new nn.Flatten(), new nn.Linear(64, shapes)],
);
const { DataLoader, TensorDataset } = torch.utils.data;
const loader = new DataLoader(new TensorDataset(...draw(1200)), { batchSize: 40, shuffle: true });
const [unseen, answers] = draw(400);
const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 });
const schedule = new torch.optim.OneCycleLR(optimizer, { maxLr: 0.05, totalSteps: 3 * loader.length });
for (let epoch = 1; epoch <= 3; epoch++) {
  for (const [pictures, labels] of loader) {
    using _step = torch.scope();
    optimizer.zeroGrad();
    nn.functional.crossEntropy(model.train().forward(pictures), labels).backward();
    optimizer.step();
    schedule.step();
  }
  const guesses = torch.inferenceMode(() => model.eval().forward(unseen).argmax(1));
  console.log(`epoch ${epoch}: accuracy ${guesses.eq(answers).float().mean().item().toFixed(3)}`);
}
