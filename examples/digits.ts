/**
 * A multilayer perceptron that reads digits: each is drawn on 5 x 7 points, then
 * shifted and covered with noise.
 *
 *     bun examples/digits.ts
 */
import * as torch from "aam-bun/torch";

/** Seven rows of five points per digit, row by row, as a seven-segment display shows them. */
const rows = { full: "11111", ends: "10001", left: "10000", right: "00001" };
const shapes = ["fe e e e ef", "r r r r r rr", "fr r fl l lf", "fr r fr r rf", "ee e fr r rr"]
  .concat(["fl l fr r rf", "fl l fe e ef", "fr r r r r rr", "fe e fe e ef", "fe e fr r rf"])
  .map((shape) => shape.replaceAll(" ", "").slice(0, 7))
  .map((shape) =>
    [...shape].map((key) => Object.entries(rows).find(([name]) => name[0] === key)![1]).join(""),
  );
const font = torch.tensor(shapes.map((shape) => [...shape].map(Number))).view([10, 1, 7, 5]);

/** Digits [n, 1, 9, 7], each at a place of its own in a noisy picture, and what they are [n]. */
function draw(count: number): [torch.Tensor, torch.Tensor] {
  return torch.tidy(() => {
    const labels = torch.randint(10, [count]);
    const pictures = torch.randn([count, 1, 9, 7]).mul(0.3);
    const places = torch.randint(3, [count, 2]).toArray() as [number, number][];
    places.forEach(([top, left], i) => {
      const place = pictures.at(i, 0, { start: top, stop: top + 7 }, { start: left, stop: left + 5 });
      place.add_(font.at(labels.at(i).item(), 0));
    });
    return [pictures, labels];
  });
}

torch.manualSeed(1);
const { DataLoader, TensorDataset } = torch.utils.data;
const training = new DataLoader(new TensorDataset(...draw(4000)), { batchSize: 50, shuffle: true });
const [testPictures, testLabels] = draw(500);

const model = new torch.nn.Sequential(
  ...[new torch.nn.Flatten(), new torch.nn.Linear(63, 128), new torch.nn.ReLU(), new torch.nn.Dropout(0.1)],
  new torch.nn.Linear(128, 10),
);
console.log(String(model));
const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 3e-3 });
const criterion = new torch.nn.CrossEntropyLoss();

for (let epoch = 1; epoch <= 6; epoch++) {
  using _epoch = torch.scope();
  for (const [pictures, labels] of training) {
    optimizer.zeroGrad();
    criterion.forward(model.train().forward(pictures), labels).backward();
    optimizer.step();
  }
  const guesses = torch.inferenceMode(() => model.eval().forward(testPictures).argmax(1));
  console.log(`epoch ${epoch}: accuracy ${guesses.eq(testLabels).float().mean().item().toFixed(3)}`);
}
