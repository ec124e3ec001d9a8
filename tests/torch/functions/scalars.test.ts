import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const whole = () => torch.tensor([1n, 2n]);

test("a whole number beyond 2^53 beside integers alone is refused, by the short way and the general one", () => {
  using _s = torch.scope();
  for (const call of [
    () => whole().add(2 ** 60),
    () => whole().mul(-(2 ** 54)),
    () => whole().eq(2 ** 53),
    () =>
      whole()
        .bool()
        .add(2 ** 60),
    () => torch.where(whole().gt(1), whole(), 2 ** 60),
  ]) {
    expect(call).toThrow(/beyond what a number holds exactly .* torch\.tensor\(-?\d+n\)/);
    expect(() => torch.countOperators(call)).toThrow(/beyond what a number holds exactly/);
  }
  const sum = whole().add(torch.tensor(2n ** 60n));
  expect([sum.dtype, sum.data()[1]]).toEqual(["int64", 2n ** 60n + 2n]);
});

test("such a number is a float beside floats, and exact where it fills", () => {
  using _s = torch.scope();
  expect(
    torch
      .tensor([1, 2], { dtype: "float64" })
      .mul(2 ** 60)
      .toArray(),
  ).toEqual([2 ** 60, 2 ** 61]);
  expect(
    whole()
      .fill_(2 ** 60)
      .data()[0],
  ).toBe(2n ** 60n);
  // No int64 is as large: a float, as in Python.
  expect(whole().mul(1e20).dtype).toBe("float32");
});

test("-0 keeps its sign beside floats and is an integer beside integers", () => {
  using _s = torch.scope();
  const floats = torch.tensor([1, 2]);
  for (const product of [floats.mul(-0), torch.countOperators(() => floats.mul(-0)).result])
    expect(product.toArray()).toEqual([-0, -0]);
  expect(torch.copysign(floats, -0).toArray()).toEqual([-1, -2]);
  expect(torch.zeros([1]).fill_(-0).toArray()).toEqual([-0]);
  expect(whole().add(-0).dtype).toBe("int64");
  expect(whole().add(-0).toArray()).toEqual([1, 2]);
});

test("NaN, infinities and fractions do not become integers in silence", () => {
  using _s = torch.scope();
  for (const dtype of ["int64", "int32", "uint8"] as const) {
    for (const value of [Number.NaN, Infinity, -Infinity])
      expect(() => torch.tensor([value], { dtype })).toThrow(/cannot be converted to \w+ without overflow/);
    expect(() => torch.tensor([2.7], { dtype })).toThrow(/2\.7 is not an integer .* Math\.trunc/);
  }
  for (const value of [2.7, Number.NaN, Infinity]) expect(() => whole().setAt([0], value)).toThrow();
  for (const value of [Number.NaN, Infinity]) expect(() => whole().fill_(value)).toThrow();
  const sum = whole().add(Infinity);
  expect([sum.dtype, sum.toArray()]).toEqual(["float32", [Infinity, Infinity]]);
});

test("a mask without dimensions makes a new one, as true and false do", () => {
  using _s = torch.scope();
  const x = torch.arange(6).reshape([2, 3]);
  for (const dtype of ["bool", "uint8"] as const) {
    const [yes, no] = [torch.ones([], { dtype }), torch.zeros([], { dtype })];
    expect(x.at(yes).toArray()).toEqual([x.toArray()]);
    expect(x.at(no).shape).toEqual([0, 2, 3]);
    expect(x.at({}, yes).shape).toEqual(x.at({}, true).shape);
    expect(x.clone().setAt([no], 9).toArray()).toEqual(x.toArray());
    expect(x.clone().setAt([yes], 9).toArray()).toEqual([
      [9, 9, 9],
      [9, 9, 9],
    ]);
  }
});
