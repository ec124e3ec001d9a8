import { expect, test } from "bun:test";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";

const { nn } = torch;

/** Tensors by the names that lab/python/fixtures gives them. */
function make(name: string): torch.Tensor {
  const dense = torch.tensor([
    [0, 0, 3],
    [4, 0, 5],
  ]);
  const [kind, rest] = name.startsWith("long ") ? ["long", name.slice(5)] : ["short", name];
  if (torch.dtypes.includes(rest as torch.DType) && !rest.startsWith("complex"))
    return (kind === "long" ? torch.zeros([2000]) : torch.tensor([1, 2, 3])).to(rest as torch.DType);
  const big = torch.arange(12).to("float64").sub(5).mul(12345.678);
  const makers: Record<string, () => torch.Tensor> = {
    complex: () => torch.complex(torch.tensor([1, 2.5, -3]), torch.tensor([0, -1, 4])),
    "complex wide": () => torch.complex(big, big.flip([0]).mul(-0.37)).view([3, 4]),
    "complex whole": () => torch.fft.fft(torch.tensor([1, 2, 3, 4])),
    coo: () => dense.toSparse(),
    csr: () => dense.toSparseCsr(),
    csc: () => torch.ops.aten["to_sparse_csc"](dense) as torch.Tensor,
    "coo double": () => dense.double().toSparse(),
    "empty coo": () =>
      torch.sparseCooTensor(torch.zeros([2, 0], { dtype: "int64" }), torch.zeros([0]), [2, 3]),
    "empty csr": () => torch.zeros([2, 2]).toSparseCsr(),
    "long coo": () => torch.arange(1, 1201).to("float32").toSparse(),
    "complex grad": () => torch.tensor([{ re: 1, im: 2 }], { requiresGrad: true }),
    "empty complex": () => torch.zeros([0], { dtype: "complex64" }),
    complex128: () => torch.tensor([{ re: 1, im: 2 }], { dtype: "complex128" }),
    "coo grad": () => dense.toSparse().requiresGrad_(),
  };
  return makers[name]();
}

test("complex, sparse, unsigned and 8-bit tensors print as PyTorch prints them", async () => {
  using _s = torch.scope();
  const file = join(import.meta.dir, "../../fixtures/torch/kindTexts.json");
  const entries = (await Bun.file(file).json()) as { make: string; text: string }[];
  expect(entries.length).toBeGreaterThan(25);
  for (const entry of entries)
    expect(`${entry.make}: ${make(entry.make)}`).toBe(`${entry.make}: ${entry.text}`);
});

test("every dtype and layout can be read as arrays and typed arrays, and made from them", () => {
  using _s = torch.scope();
  for (const dtype of torch.dtypes) {
    const values = dtype === "bool" ? [true, false] : [1, 2];
    const made = torch.tensor(values, { dtype });
    expect(made.dtype).toBe(dtype);
    const isComplex = dtype.startsWith("complex");
    expect(made.toArray()).toEqual(isComplex ? values.map((re) => ({ re: Number(re), im: 0 })) : values);
    expect(made.data().byteLength).toBe(made.nbytes);
    expect(JSON.parse(JSON.stringify(made)).length).toBe(2);
    expect(String(torch.zeros([3, 400], { dtype }))).toContain("...");
    expect(String(torch.empty([0, 2], { dtype }))).toContain("size=(0, 2)");
  }
  expect(torch.tensor([2n ** 64n - 1n], { dtype: "uint64" }).data()).toEqual(
    new BigUint64Array([2n ** 64n - 1n]),
  );
  expect(torch.tensor(new Uint32Array([7])).dtype).toBe("uint32");
  expect(torch.tensor(new Uint16Array([7]), { dtype: "uint16" }).toArray()).toEqual([7]);
  expect(torch.tensor([0.3], { dtype: "float8_e4m3fn" }).toArray()).toEqual([0.3125]);
  expect(() => torch.tensor([{ re: 1, im: 1 }], { dtype: "float32" })).toThrow(/complex number/);
  expect(() => torch.ones([1], { dtype: "complex64" }).toFloat64Array()).toThrow(/viewAsReal/);
  expect(() => torch.tensor([{ re: 1, im: 1 }]).item()).toThrow(/complex/);
});

test("complex tensors: parts, arithmetic, gradients, conjugates", () => {
  using _s = torch.scope();
  const z = torch.tensor([{ re: 3, im: 4 }, 1]);
  expect(z.dtype).toBe("complex64");
  expect(z.abs().toArray()).toEqual([5, 1]);
  expect(z.mul(z.conj()).toArray()).toEqual([
    { re: 25, im: 0 },
    { re: 1, im: 0 },
  ]);
  expect(torch.real(z).toArray()).toEqual([3, 1]);
  expect(torch.imag(z).toArray()).toEqual([4, 0]);
  expect(z.conj().data()).toEqual(new Float32Array([3, -4, 1, -0]));
  expect(torch.viewAsComplex(torch.viewAsReal(z)).toArray()).toEqual(z.toArray());
  const x = torch.tensor([1, 2, 3, 4], { dtype: "float64", requiresGrad: true });
  torch.fft.rfft(x).abs().pow(2).sum().backward();
  expect(torch.fft.irfft(torch.fft.rfft(x)).toArray()).toEqual([1, 2, 3, 4]);
  expect(x.grad!.toArray()).toEqual([12, 20, 20, 28]);
  const [values] = torch.linalg.eig(
    torch.tensor([
      [0, 1],
      [-1, 0],
    ]),
  );
  expect(values.toArray()).toEqual([
    { re: 0, im: 1 },
    { re: 0, im: -1 },
  ]);
});

test("sparse tensors: made, coalesced, multiplied, differentiated, read", () => {
  using _s = torch.scope();
  const indices = torch.tensor(
    [
      [0, 1, 1],
      [2, 0, 0],
    ],
    { dtype: "int64" },
  );
  const sparse = torch.sparseCooTensor(indices, torch.tensor([3, 4, 5]), [2, 3]);
  expect(sparse.isSparse).toBe(true);
  expect(sparse.isCoalesced()).toBe(false);
  const dense = [
    [0, 0, 3],
    [9, 0, 0],
  ];
  expect(sparse.toArray()).toEqual(dense);
  expect(sparse.coalesce().values().toArray()).toEqual([3, 9]);
  expect(() => sparse.data()).toThrow(/toDense/);
  const weight = torch.ones([3, 2], { requiresGrad: true });
  const product = sparse.coalesce().matmul(weight);
  expect(product.toArray()).toEqual([
    [3, 3],
    [9, 9],
  ]);
  product.sum().backward();
  expect(weight.grad!.toArray()).toEqual([
    [9, 9],
    [0, 0],
    [3, 3],
  ]);
  const csr = sparse.coalesce().toSparseCsr();
  expect(csr.layout).toBe("sparse_csr");
  expect(csr.crowIndices().toArray()).toEqual([0, 1, 2]);
  expect(csr.matmul(torch.ones([3, 1])).toArray()).toEqual([[3], [9]]);
  const made = torch.sparseCsrTensor(csr.crowIndices(), csr.colIndices(), csr.values(), [2, 3]);
  expect(made.toDense().toArray()).toEqual(dense);
  const embedding = new nn.Embedding(4, 2);
  expect(embedding.weight.isSparse).toBe(false);
});
