// A function with a backward of one's own: a straight-through step, so that a network of ones
// and zeros can be trained.
import * as torch from "aam-bun/torch";

const { nn } = torch;

/** 1 above zero, else 0; its gradient is taken for that of a ramp from -1 to 1. */
class Step extends torch.autograd.Function {
  static forward(ctx: torch.autograd.FunctionContext, x: torch.Tensor): torch.Tensor {
    ctx.saveForBackward(x);
    return x.gt(0).to(x.dtype);
  }

  static backward(ctx: torch.autograd.FunctionContext, gradient: torch.Tensor): torch.Tensor {
    const [x] = ctx.savedTensors;
    return gradient.mul(x.abs().le(1)).mul(0.5);
  }
}

class BinaryNetwork extends nn.Module {
  readonly hidden = new nn.Linear(2, 32);
  readonly output = new nn.Linear(32, 1);

  forward(x: torch.Tensor): torch.Tensor {
    return this.output.forward(Step.apply(this.hidden.forward(x)));
  }
}

torch.manualSeed(0);
const model = new BinaryNetwork();
const optimizer = new torch.optim.Adam(model.parameters(), { lr: 0.02 });
const points = torch.rand([512, 2]).mul(2).sub(1);
const inside = points.pow(2).sum(1).lt(0.5).to("float32").unsqueeze(1);

// What reaches the hidden layer, seen by a hook on the way back.
let largest = 0;
model.hidden.registerFullBackwardHook((_module, _gradInput, [gradient]) => {
  largest = gradient!.abs().amax().item();
});

for (let step = 0; step <= 300; step++) {
  using _step = torch.scope();
  const scores = model.forward(points);
  const loss = nn.functional.binaryCrossEntropyWithLogits(scores, inside);
  optimizer.zeroGrad();
  loss.backward();
  optimizer.step();
  if (step % 100 !== 0) continue;
  const right = scores.gt(0).to("float32").eq(inside).to("float32").mean().item();
  console.log(
    `step ${step}: loss ${loss.item().toFixed(3)}, accuracy ${right.toFixed(3)}, gradient ${largest.toExponential(1)}`,
  );
}
