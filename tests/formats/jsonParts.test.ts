import { expect, test } from "bun:test";
import { Random } from "../../src/common/random/random.ts";
import { JsonParts } from "../../src/formats/jsonParts.ts";

/** What is read of a text in parts of so many bytes; undefined where it is refused. */
function inParts(text: string, atOnce: number): Record<string, unknown> | undefined {
  const found = new Map<string, unknown>();
  try {
    const parts = new JsonParts(new TextEncoder().encode(text), atOnce);
    for (const [key, place] of parts.members())
      found.set(key, parts.isList(place) ? [...parts.elements(place)].flat(1) : parts.value(place));
  } catch (cause) {
    expect(cause).toBeInstanceOf(SyntaxError);
    return undefined;
  }
  return Object.fromEntries(found);
}

function atOnce(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    return text.trim().startsWith("{") ? value : undefined;
  } catch {
    return undefined;
  }
}

const sound = ` {"id": null, "rows" : [{"id":"a\\"]","metadata":{"x":[1,{"y":"},"}]}}, {"id":"é\\\\"} ] ,"empty": [ ],
  "data":[[0,0,1],[0,1,-2.5e3],[1,1,0]],"rows":[[],"b",{}],"none":{ }, "t":true } `;

test("a text with one change is taken or refused as by JSON.parse, whatever the parts", () => {
  const random = new Random(1);
  const pieces = ['"', "\\", "[", "]", "{", "}", ",", ":", " ", "1", "-", "a", "null", "[]", "", "", ""];
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    const at = random.integer(sound.length + 1);
    const piece = pieces[random.integer(pieces.length)];
    const text = round === 0 ? sound : sound.slice(0, at) + piece + sound.slice(at + random.integer(3));
    const expected = atOnce(text);
    if (expected === undefined) refused++;
    for (const size of [1, 9, 1000])
      expect({ text, value: inParts(text, size) }).toEqual({ text, value: expected });
  }
  expect(refused).toBeGreaterThan(1000);
  expect(refused).toBeLessThan(3900);
});

test.each([
  ["{}", {}],
  ['\uFEFF{"a":[]}', { a: [] }],
  ['{"a":[NaN,-Infinity,"NaN"],"b":Infinity}', { a: [null, null, "NaN"], b: null }],
  ["", undefined],
  ["{", undefined],
  ["{} x", undefined],
  ['{"a":[1,]}', undefined],
  ['{"a":[,1]}', undefined],
  ['{"a":[1}', undefined],
  ['{"a":[1] [2]}', undefined],
  ['{"a":1,}', undefined],
  ['{"a":\uFEFF1}', undefined],
])("%s", (text, value) => {
  expect(inParts(text, 1)).toEqual(value);
});

test("a string that ends at the border of two parts is one", () => {
  for (let pad = 2 ** 20 - 20; pad < 2 ** 20 + 3; pad++) {
    const value = { a: ["x".repeat(pad), '\\"]', 'é,"'], b: 1 };
    expect(inParts(JSON.stringify(value), 5)).toEqual(value);
  }
});
