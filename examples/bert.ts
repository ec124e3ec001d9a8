// BERT from a Hugging Face folder (config.json, model.safetensors, tokenizer.json): logits for the hidden
// word. bun examples/bert.ts FOLDER "the [MASK] sat on the mat"
import * as torch from "aam-bun/torch";

const { nn } = torch;

const folder = torch.hub.readPretrained(process.argv[2] ?? "tests/fixtures/torch/bert");
const [dim, wide, heads] = ["hidden_size", "intermediate_size", "num_attention_heads"].map((name) =>
  folder.size(name),
);
const state = folder.stateDict();

/** Attention over the whole sentence, then two linear layers, each added to what came in. */
class Layer extends nn.Module {
  readonly query = new nn.Linear(dim, dim);
  readonly key = new nn.Linear(dim, dim);
  readonly value = new nn.Linear(dim, dim);
  readonly mix = new nn.Linear(dim, dim);
  readonly widen = new nn.Linear(dim, wide);
  readonly narrow = new nn.Linear(wide, dim);
  readonly norm1 = new nn.LayerNorm(dim, { eps: 1e-12 });
  readonly norm2 = new nn.LayerNorm(dim, { eps: 1e-12 });

  forward(x: torch.Tensor, mask: torch.Tensor): torch.Tensor {
    const split = (y: torch.Tensor) => y.unflatten(-1, [heads, -1]).transpose(1, 2);
    const [q, k, v] = [this.query, this.key, this.value].map((linear) => split(linear.forward(x)));
    const mixed = nn.functional.scaledDotProductAttention(q, k, v, { attnMask: mask });
    const attended = this.norm1.forward(this.mix.forward(mixed.transpose(1, 2).flatten(2)).add(x));
    return this.norm2.forward(this.narrow.forward(torch.gelu(this.widen.forward(attended))).add(attended));
  }
}

const layers = Array.from({ length: folder.size("num_hidden_layers") }, (_, i) => {
  const layer = new Layer();
  const theirs = {
    ...{ query: "attention.self.query", key: "attention.self.key", value: "attention.self.value" },
    ...{ mix: "attention.output.dense", norm1: "attention.output.LayerNorm" },
    ...{ widen: "intermediate.dense", narrow: "output.dense", norm2: "output.LayerNorm" },
  };
  const own = Object.entries(theirs).flatMap(([name, path]) =>
    ["weight", "bias"].map(
      (part) => [`${name}.${part}`, state.get(`bert.encoder.layer.${i}.${path}.${part}`)!] as const,
    ),
  );
  layer.loadStateDict(new Map(own));
  return layer;
});

const weight = (name: string) => state.get(name)!;
const norm = (x: torch.Tensor, name: string) =>
  nn.functional.layerNorm(x, [dim], {
    weight: weight(`${name}.weight`),
    bias: weight(`${name}.bias`),
    eps: 1e-12,
  });

torch.noGrad(() => {
  const tokenizer = folder.tokenizer();
  const { inputIds, attentionMask } = tokenizer.batch([process.argv[3] ?? "the [MASK] sat on the mat"]);
  const part = (name: string) => weight(`bert.embeddings.${name}_embeddings.weight`);
  const words = nn.functional.embedding(inputIds, part("word")).add(part("token_type").select(0, 0));
  let x = norm(words.add(part("position").narrow(0, 0, inputIds.size(1))), "bert.embeddings.LayerNorm");
  const mask = attentionMask.to("bool").unsqueeze(1).unsqueeze(1);
  for (const layer of layers) x = layer.forward(x, mask);
  const head = "cls.predictions";
  const hidden = torch.gelu(
    nn.functional.linear(x, weight(`${head}.transform.dense.weight`), weight(`${head}.transform.dense.bias`)),
  );
  const normed = norm(hidden, `${head}.transform.LayerNorm`);
  const logits = nn.functional.linear(normed, part("word"), weight(`${head}.bias`));
  const at = inputIds.toFloat64Array().indexOf(tokenizer.tokenToId("[MASK]")!);
  const [scores, best] = logits.at(0, at).topk(3);
  const told = [...best.toFloat64Array()].map(
    (id, i) => `${tokenizer.idToToken(id)} ${scores.at(i).item().toFixed(4)}`,
  );
  console.log(`logits [${logits.shape}], sum ${logits.sum().item().toFixed(4)}; best: ${told.join(", ")}`);
});
