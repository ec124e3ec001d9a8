/**
 * A residual network that tells shapes apart: circles, squares, triangles and crosses of any place and size,
 * on noisy pictures.
 *
 *     bun examples/resnet.ts
 */
import * as torch from "aam-bun/torch";

const { nn } = torch;
const side = 20;
const names = ["circle", "square", "triangle", "cross"];

/** Pictures [n, 1, side, side] and what they show [n]. */
function draw(count: number): [torch.Tensor, torch.Tensor] {
  return torch.tidy(() => {
    const labels = torch.randint(names.length, [count]);
    const [cx, cy, random] = torch.rand([3, count, 1, 1]).unbind(0);
    const size = random.mul(3).add(3.5);
    const at = torch.arange(side).float();
    const x = at
      .view([1, 1, -1])
      .sub(cx.mul(6).add(side / 2 - 3))
      .div(size);
    const y = at
      .view([1, -1, 1])
      .sub(cy.mul(6).add(side / 2 - 3))
      .div(size);
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

/** Two convolutions around which the input goes on; a convolution of size 1 where its size changes. */
class Block extends nn.Module {
  readonly conv1: torch.nn.Conv2d;
  readonly bn1: torch.nn.BatchNorm2d;
  readonly conv2: torch.nn.Conv2d;
  readonly bn2: torch.nn.BatchNorm2d;
  readonly downsample: torch.nn.Sequential;
  constructor(inputs: number, outputs: number, stride: number) {
    super();
    this.conv1 = new nn.Conv2d(inputs, outputs, 3, { stride, padding: 1, bias: false });
    this.bn1 = new nn.BatchNorm2d(outputs);
    this.conv2 = new nn.Conv2d(outputs, outputs, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(outputs);
    const shortcut = [
      new nn.Conv2d(inputs, outputs, 1, { stride, bias: false }),
      new nn.BatchNorm2d(outputs),
    ];
    this.downsample = new nn.Sequential(...(stride === 1 ? [] : shortcut));
  }
  forward(x: torch.Tensor): torch.Tensor {
    const hidden = this.bn1.forward(this.conv1.forward(x)).relu();
    return this.bn2.forward(this.conv2.forward(hidden)).add(this.downsample.forward(x)).relu();
  }
}

torch.manualSeed(1);
const model = new nn.Sequential(
  ...[new nn.Conv2d(1, 16, 3, { padding: 1, bias: false }), new nn.BatchNorm2d(16), new nn.ReLU()],
  ...[new Block(16, 16, 1), new Block(16, 32, 2), new Block(32, 64, 2)],
  ...[new nn.AdaptiveAvgPool2d(1), new nn.Flatten(), new nn.Linear(64, names.length)],
);
const { DataLoader, TensorDataset } = torch.utils.data;
const loader = new DataLoader(new TensorDataset(...draw(1200)), { batchSize: 40, shuffle: true });
const [unseen, answers] = draw(400);
const epochs = 3;
const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 });
const schedule = new torch.optim.OneCycleLR(optimizer, { maxLr: 0.05, totalSteps: epochs * loader.length });
for (let epoch = 1; epoch <= epochs; epoch++) {
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
