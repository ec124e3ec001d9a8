import * as torch from "../../src/torch/index.ts";

const { nn, optim } = torch;
const F = nn.functional;

/** The sizes of lab/python/reference/model_steps.py. */
const gpt = { vocabulary: 65, width: 128, heads: 4, layers: 4, length: 64, batch: 8 } as const;
const images = { side: 32, batch: 16, classes: 10 } as const;

class GptBlock extends nn.Module {
  readonly norm1 = new nn.LayerNorm(gpt.width);
  readonly qkv = new nn.Linear(gpt.width, 3 * gpt.width);
  readonly projection = new nn.Linear(gpt.width, gpt.width);
  readonly norm2 = new nn.LayerNorm(gpt.width);
  readonly wide = new nn.Linear(gpt.width, 4 * gpt.width);
  readonly narrow = new nn.Linear(4 * gpt.width, gpt.width);

  forward(x: torch.Tensor): torch.Tensor {
    const heads = [gpt.heads, gpt.width / gpt.heads];
    const parts = this.qkv.forward(this.norm1.forward(x)).chunk(3, -1);
    const [q, k, v] = parts.map((part) => part.unflatten(-1, heads).transpose(1, 2));
    const mixed = torch.scaledDotProductAttention(q, k, v, null, 0, true).transpose(1, 2).flatten(2);
    const attended = x.add(this.projection.forward(mixed));
    return attended.add(this.narrow.forward(F.gelu(this.wide.forward(this.norm2.forward(attended)))));
  }
}

/** A step of a small GPT: forward, cross-entropy, backward, AdamW. */
export function gptStep(device: torch.Device): (times: number) => void {
  const tokens = new nn.Embedding(gpt.vocabulary, gpt.width);
  const places = new nn.Embedding(gpt.length, gpt.width);
  const rest = new nn.Sequential(
    ...Array.from({ length: gpt.layers }, () => new GptBlock()),
    ...[new nn.LayerNorm(gpt.width), new nn.Linear(gpt.width, gpt.vocabulary)],
  );
  const model = new nn.ModuleList<torch.nn.Module>([tokens, places, rest]).to(device);
  const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });
  const text = torch.randint(gpt.vocabulary, [gpt.batch, gpt.length + 1], { device });
  const [x, y] = [text.narrow(1, 0, gpt.length), text.narrow(1, 1, gpt.length).reshape([-1])];
  const at = torch.arange(gpt.length, { device });
  return (times) => {
    for (let i = 0; i < times; i++) {
      using _s = torch.scope();
      optimizer.zeroGrad();
      const logits = rest.forward(tokens.forward(x).add(places.forward(at)));
      F.crossEntropy(logits.view([-1, gpt.vocabulary]), y).backward();
      optimizer.step();
    }
  };
}

const convolution = (inputs: number, outputs: number, size: number, stride = 1) => [
  new nn.Conv2d(inputs, outputs, size, { stride, padding: Math.floor(size / 2), bias: false }),
  new nn.BatchNorm2d(outputs),
];

class ResidualBlock extends nn.Module {
  readonly body: torch.nn.Sequential;
  readonly around: torch.nn.Sequential;

  constructor(inputs: number, outputs: number, stride: number) {
    super();
    const first = convolution(inputs, outputs, 3, stride);
    this.body = new nn.Sequential(...first, new nn.ReLU(), ...convolution(outputs, outputs, 3));
    this.around = new nn.Sequential(...(stride === 1 ? [] : convolution(inputs, outputs, 1, stride)));
  }

  forward(x: torch.Tensor): torch.Tensor {
    return F.relu(this.body.forward(x).add(this.around.forward(x)));
  }
}

/** A step of a small residual network: forward, cross-entropy, backward, SGD with momentum. */
export function resnetStep(device: torch.Device): (times: number) => void {
  const model = new nn.Sequential(
    ...[...convolution(3, 16, 3), new nn.ReLU()],
    ...[new ResidualBlock(16, 16, 1), new ResidualBlock(16, 32, 2), new ResidualBlock(32, 64, 2)],
    ...[new nn.AdaptiveAvgPool2d(1), new nn.Flatten(), new nn.Linear(64, images.classes)],
  ).to(device);
  const optimizer = new optim.SGD(model.parameters(), { lr: 1e-2, momentum: 0.9 });
  const x = torch.rand([images.batch, 3, images.side, images.side], { device });
  const y = torch.randint(images.classes, [images.batch], { device });
  return (times) => {
    for (let i = 0; i < times; i++) {
      using _s = torch.scope();
      optimizer.zeroGrad();
      F.crossEntropy(model.forward(x), y).backward();
      optimizer.step();
    }
  };
}
