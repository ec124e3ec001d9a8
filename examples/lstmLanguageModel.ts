/**
 * A character language model with an LSTM: learns a sentence and writes it again from its first letter.
 *
 *     bun examples/lstmLanguageModel.ts
 */
import * as torch from "aam-bun/torch";

const { nn, optim } = torch;
const text = "gut microbes ferment fibre to short chain fatty acids. ";
const letters = [...new Set(text)].sort();
const codes = [...text].map((letter) => BigInt(letters.indexOf(letter)));

class LanguageModel extends nn.Module {
  readonly embedding = new nn.Embedding(letters.length, 16);
  readonly lstm = new nn.LSTM(16, 64, { batchFirst: true });
  readonly head = new nn.Linear(64, letters.length);

  /** Codes [batch, length] -> logits [batch, length, letters], and the state to go on with. */
  forward(
    input: torch.Tensor,
    state: readonly [torch.Tensor, torch.Tensor] | null = null,
  ): [torch.Tensor, [torch.Tensor, torch.Tensor]] {
    const [hidden, last] = this.lstm.forward(this.embedding.forward(input), state);
    return [this.head.forward(hidden), last];
  }
}

torch.manualSeed(0);
const model = new LanguageModel();
const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
const input = torch.tensor([codes]);
const target = torch.tensor([[...codes.slice(1), codes[0]]]);

for (let step = 0; step <= 150; step++) {
  using _step = torch.scope();
  const [logits] = model.forward(input);
  const loss = nn.functional.crossEntropy(logits.flatten(0, 1), target.flatten());
  optimizer.zeroGrad();
  loss.backward();
  nn.utils.clipGradNorm_(model.parameters(), 1);
  optimizer.step();
  if (step % 50 === 0) console.log(`step ${step}: loss ${loss.item().toFixed(3)}`);
}

const written = torch.noGrad(() =>
  torch.tidy(() => {
    let letter = codes[0];
    let state: [torch.Tensor, torch.Tensor] | null = null;
    let out = "";
    for (let i = 0; i < text.length; i++) {
      out += letters[Number(letter)];
      const [logits, next] = model.forward(torch.tensor([[letter]]), state);
      letter = BigInt(logits.argmax(-1).item());
      state = next;
    }
    return out;
  }),
);
console.log(`written: ${written}`);
