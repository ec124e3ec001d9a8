import { expect, test } from "bun:test";
import { isDate, numberNotation } from "../../src/common/numberNotation.ts";

test.each([
  ["6,69", /decimal comma/, /^6\.69 \(a decimal point\)$/],
  ["-0,5", /decimal comma/, /^-0\.5/],
  ["1,5E-3", /decimal comma/, /^1\.5E-3/],
  ["4,671", /decimal comma or digit groups/, /^4\.671 or 4671, whichever is meant$/],
  ["1,234,567", /digit groups/, /^1234567$/],
  ["1.234.567", /digit groups/, /^1234567$/],
  ["1.234,5", /digit groups/, /^1234\.5$/],
  ["1,234.5", /digit groups/, /^1234\.5$/],
  ["12 345", /digit groups/, /^12345$/],
  ["12\u202f345", /digit groups/, /^12345$/],
  ["12'345", /digit groups/, /^12345$/],
  ["1_000", /digit groups/, /^1000$/],
  ["\u22125.5", /minus sign/, /^-5\.5$/],
  ["\u20135", /minus sign/, /^-5$/],
  ["\u22126,69", /minus sign.*decimal comma/, /^-6\.69/],
  ["12%", /sign %/, /^12 without/],
  ["12,5 %", /sign %/, /^12,5 without/],
  ["<0.1", /sign </, /^0\.1 without/],
  ["≥ 90", /sign ≥/, /^90 without/],
  ["12 kg", /unit kg/, /^12 without/],
  ["3.5mg", /unit mg/, /^3\.5 without/],
  ["5 months", /unit months/, /^5 without/],
  ["\uff11\uff12", /another script/, /^12$/],
  ["\u0661\u0662", /another script/, /^12$/],
])("%s", (text, what, cure) => {
  expect(numberNotation(text)?.what).toMatch(what);
  expect(numberNotation(text)?.cure).toMatch(cure);
});

test.each([
  "",
  "5",
  "-1.5e3",
  "gut",
  "a,b",
  "1,2,3",
  "1-2",
  "S1",
  "2019-05-01",
  "12:30",
  "1.2.3",
  "5A",
  "%",
  "< x",
  "F",
  "10317.000-1",
])("%s is none", (text) => expect(numberNotation(text)).toBeUndefined());

test("dates and times are told from other text", () => {
  const dates = [
    "2019-05-01",
    "2019-05",
    "5/1/2019",
    "01.05.19",
    "1-Mar",
    "Mar-03",
    "3 March 2020",
    "2019-05-01T12:30:00",
    "12:30",
    "9:05 AM",
  ];
  expect(dates.filter((text) => !isDate(text))).toEqual([]);
  const others = [
    "",
    "5",
    "1-2",
    "20-30",
    "S1-Mar",
    "gut",
    "Marsh",
    "may",
    "1:100",
    "10317.000-1",
    "A-12-3-04",
  ];
  expect(others.filter(isDate)).toEqual([]);
});
