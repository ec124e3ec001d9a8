import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const { nn } = torch;
const { packPaddedSequence, packSequence, padPackedSequence, padSequence, unpadSequence } = nn.utils.rnn;

test("packed sequences go through recurrent layers as each sequence alone does", () => {
  using _s = torch.scope();
  for (const name of ["RNN", "GRU", "LSTM"] as const) {
    for (const lengths of [
      [5, 3, 2],
      [2, 5, 3],
    ]) {
      const layer = new nn[name](3, 4, { numLayers: 2, bidirectional: true, batchFirst: true });
      const sequences = lengths.map((length) => torch.randn([length, 3]));
      const padded = padSequence(sequences, { batchFirst: true, paddingValue: 9 });
      const packed = packPaddedSequence(padded, lengths, {
        batchFirst: true,
        enforceSorted: lengths[0] === 5,
      });
      const [output, state] = layer.forward(packed);
      const [values, counts] = padPackedSequence(output, { batchFirst: true });
      expect(counts.toArray()).toEqual(lengths);
      const parts = unpadSequence(values, counts, { batchFirst: true });
      sequences.forEach((sequence, i) => {
        const [alone, last] = layer.forward(sequence);
        expect(parts[i].allclose(alone, 1e-5, 1e-6)).toBe(true);
        const [both, single] = [state, last].map(
          (one) => (Array.isArray(one) ? one[0] : one) as torch.Tensor,
        );
        expect(both.select(1, i).allclose(single, 1e-5, 1e-6)).toBe(true);
      });
    }
  }
});

test("packing refuses lengths that do not fit, and unpacks to a longer length", () => {
  using _s = torch.scope();
  const x = torch.ones([4, 2, 3]);
  expect(() => packPaddedSequence(x, [2, 4])).toThrow("sorted");
  expect(() => packPaddedSequence(x, [4, 0])).toThrow("greater than 0");
  const packed = packSequence([torch.ones([2, 3]), torch.ones([4, 3])], { enforceSorted: false });
  expect(() => padPackedSequence(packed, { totalLength: 3 })).toThrow("below the longest");
  const [padded, lengths] = padPackedSequence(packed, { totalLength: 6, paddingValue: -1 });
  expect(padded.shape).toEqual([6, 2, 3]);
  expect(padded.at(5, 0, 0).item()).toBe(-1);
  expect(lengths.toArray()).toEqual([2, 4]);
  expect(() => new nn.LSTM(3, 4).forward(torch.ones([2, 5]))).toThrow("must be 3");
  expect(() => new nn.GRU(3, 4).forward(torch.ones([2, 1, 3]), torch.ones([1, 2, 4]))).toThrow(
    "expected a state of shape [1, 1, 4]",
  );
  const up = new nn.ConvTranspose1d(1, 1, 3, { stride: 2 });
  expect(up.forward(torch.ones([1, 1, 4]), [10]).shape).toEqual([1, 1, 10]);
  expect(() => up.forward(torch.ones([1, 1, 4]), [12])).toThrow("from 9 to 10");
});
