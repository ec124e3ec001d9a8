/**
 * A small transformer that learns to write, character by character.
 *
 *     bun examples/characterTransformer.ts
 */
import * as torch from "aam-bun/torch";

const { nn } = torch;
const text = "the quick brown fox jumps over the lazy dog. pack my box with five dozen jugs. ".repeat(8);
const alphabet = [...new Set(text)].sort();
const codes = torch.tensor([...text].map((character) => alphabet.indexOf(character))).long();
const length = 24;

class Writer extends nn.Module {
  readonly characters = new nn.Embedding(alphabet.length, 48);
  readonly positions = new nn.Embedding(length, 48);
  readonly encoder = new nn.TransformerEncoder(
    new nn.TransformerEncoderLayer(48, 4, {
      dimFeedforward: 96,
      dropout: 0,
      batchFirst: true,
      normFirst: true,
    }),
    2,
  );
  readonly head = new nn.Linear(48, alphabet.length);
  /** True where a character must not look: at those that come after it. */
  readonly future = new nn.Buffer(torch.ones([length, length]).triu(1).bool(), false);

  /** [batch, n] characters -> [batch, n, alphabet]: logits of the character that follows each. */
  forward(input: torch.Tensor): torch.Tensor {
    const n = input.size(1);
    const hidden = this.characters.forward(input).add(this.positions.forward(torch.arange(n)));
    const srcMask = this.future.at({ stop: n }, { stop: n });
    return this.head.forward(this.encoder.forward(hidden, { srcMask }));
  }
}

torch.manualSeed(0);
const model = new Writer();
const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 3e-3 });
const schedule = new torch.optim.WarmupCosineLR(optimizer, { warmupSteps: 10, totalSteps: 100 });
for (let step = 0; step <= 100; step++) {
  using _step = torch.scope();
  const starts = torch.randint(codes.numel - length, [16, 1]);
  const windows = codes.at(starts.add(torch.arange(length + 1)));
  const logits = model.forward(windows.at({}, { stop: -1 }));
  const loss = nn.functional.crossEntropy(logits.flatten(0, 1), windows.at({}, { start: 1 }).flatten());
  optimizer.zeroGrad();
  loss.backward();
  nn.utils.clipGradNorm_(model.parameters(), 1);
  optimizer.step();
  schedule.step();
  if (step % 25 === 0) console.log(`step ${step}: loss ${loss.item().toFixed(3)}`);
}

let written = "the quick";
while (written.length < 60) {
  const seen = torch
    .tensor([[...written.slice(-length)].map((character) => alphabet.indexOf(character))])
    .long();
  written += alphabet[torch.inferenceMode(() => model.forward(seen).at(0, -1).argmax().item())];
}
console.log(`written: ${written}`);
