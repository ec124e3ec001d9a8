// A graph attention network (GAT) that tells people's groups by who knows whom; a few groups are known.
import * as torch from "aam-bun/torch";

const { nn } = torch;

/**
 * Each node looks at its neighbours, weighs them by attention, and takes the weighted sum;
 * several heads side by side.
 */
class GraphAttention extends nn.Module {
  readonly weight: torch.nn.Linear;
  readonly source: torch.Tensor;
  readonly target: torch.Tensor;

  constructor(
    inputs: number,
    readonly outputs: number,
    readonly heads: number,
  ) {
    super();
    this.weight = new nn.Linear(inputs, outputs * heads, { bias: false });
    this.source = new nn.Parameter(nn.init.xavierUniform_(torch.empty([heads, outputs])));
    this.target = new nn.Parameter(nn.init.xavierUniform_(torch.empty([heads, outputs])));
  }

  /** x [nodes, inputs], edges from `from` to `to` (int64 [edges]) -> [nodes, heads, outputs]. */
  forward(x: torch.Tensor, from: torch.Tensor, to: torch.Tensor): torch.Tensor {
    const nodes = x.size(0);
    const h = this.weight.forward(x).view([nodes, this.heads, this.outputs]);
    const score = (vector: torch.Tensor, at: torch.Tensor) => h.mul(vector).sum(-1).indexSelect(0, at);
    const e = torch.leakyRelu(score(this.source, from).add(score(this.target, to)), 0.2);
    // A softmax over the edges that end at the same node.
    const ends = to.unsqueeze(1).expand([-1, this.heads]);
    const most = torch.full([nodes, this.heads], -1e9).scatterReduce(0, ends, e.detach(), "amax");
    const weights = e.sub(most.indexSelect(0, to)).exp();
    const total = torch.zeros([nodes, this.heads]).indexAdd(0, to, weights);
    const shares = weights.div(total.indexSelect(0, to)).unsqueeze(-1);
    return torch.zerosLike(h).indexAdd(0, to, h.indexSelect(0, from).mul(shares));
  }
}

class Network extends nn.Module {
  readonly first = new GraphAttention(8, 8, 4);
  readonly second = new GraphAttention(32, 3, 1);
  forward(x: torch.Tensor, from: torch.Tensor, to: torch.Tensor): torch.Tensor {
    const hidden = nn.functional.elu(this.first.forward(x, from, to).flatten(1));
    return this.second.forward(hidden, from, to).mean(1);
  }
}

torch.manualSeed(1);
const people = 150;
const groups = torch.arange(people).remainder(3);
const same = groups.unsqueeze(0).eq(groups.unsqueeze(1)).to("float32");
// Within a group people know each other more often; everybody knows themselves.
const knows = torch.bernoulli(same.mul(0.12).add(0.01)).logicalOr(torch.eye(people).to("bool"));
const [from, to] = knows.logicalOr(knows.t()).nonzero().unbind(1);
const x = torch.randn([people, 8]).add(nn.functional.oneHot(groups, 8).to("float32").mul(0.7));
const known = torch.arange(30);

const model = new Network();
const optimizer = new torch.optim.Adam(model.parameters(), { lr: 0.01, weightDecay: 5e-4 });
for (let step = 0; step <= 100; step++) {
  using _step = torch.scope();
  const scores = model.forward(x, from, to);
  const loss = nn.functional.crossEntropy(scores.indexSelect(0, known), groups.indexSelect(0, known));
  optimizer.zeroGrad();
  loss.backward();
  optimizer.step();
  if (step % 25 !== 0) continue;
  const right = scores
    .argmax(1)
    .eq(groups)
    .narrow(0, 30, people - 30)
    .to("float32")
    .mean()
    .item();
  console.log(`step ${step}: loss ${loss.item().toFixed(3)}, accuracy ${right.toFixed(3)}`);
}
