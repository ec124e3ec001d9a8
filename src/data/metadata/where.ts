import { parseNumber } from "../../common/parseNumber.ts";
import { quote, quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { columnType, getColumn, numericColumn } from "./columns.ts";
import type { Metadata } from "./read.ts";

const operators = ["!=", "<=", ">=", "=", "<", ">"] as const;
type Operator = (typeof operators)[number];

const compare: Record<Exclude<Operator, "=" | "!=">, (a: number, b: number) => boolean> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/**
 * Ids of the rows that an expression is true for: `column=value`, `column!=value`, or with numbers
 * `column<value`, `<=`, `>`, `>=`. `a|b` for the value means one of several. A missing value fulfils none,
 * as in SQL.
 * @throws UserError for an expression of another form, an unknown column, and a value that the column does
 * not have
 * @example idsWhere(metadata, "body-site=gut|tongue")
 */
export function idsWhere(metadata: Metadata, expression: string): Set<string> {
  const { name, operator, value } = split(metadata, expression);
  const column = getColumn(metadata, name);
  let holds: (row: number) => boolean;
  if (operator === "=" || operator === "!=") {
    const numbers = columnType(column) === "numeric" ? numericColumn(metadata, name) : undefined;
    const wanted = column.values.includes(value) ? [value] : value.split("|").map((one) => one.trim());
    const isOne = (row: number, one: string) =>
      column.values[row] === one || (numbers !== undefined && numbers[row] === parseNumber(one));
    const unknown = wanted.find((one) => !column.values.some((_, row) => isOne(row, one)));
    if (unknown !== undefined) {
      const known = [...new Set(column.values.filter((one) => one !== null))];
      throw new UserError(
        `${metadata.source}: no row has ${quote(unknown)} for ${quote(column.name)} (it has ${quoteSome(known)}); give a value that it has.`,
      );
    }
    holds = (row) => wanted.some((one) => isOne(row, one)) === (operator === "=");
  } else {
    const numbers = numericColumn(metadata, name);
    const bound = parseNumber(value);
    if (bound === undefined)
      throw new UserError(`"${expression}": ${quote(value)} is no number; ${operator} compares numbers.`);
    // A missing number is NaN, which no comparison holds for.
    holds = (row) => compare[operator](numbers[row], bound);
  }
  return new Set(metadata.ids.filter((_, row) => column.values[row] !== null && holds(row)));
}

/** Names of columns may hold the signs, too: the longest name that the metadata have is meant. */
function split(metadata: Metadata, expression: string): { name: string; operator: Operator; value: string } {
  const names = [...metadata.columns.keys()].sort((a, b) => b.length - a.length);
  for (const name of names) {
    if (!expression.trimStart().startsWith(name)) continue;
    const rest = expression.trimStart().slice(name.length).trimStart();
    const operator = operators.find((one) => rest.startsWith(one));
    if (operator !== undefined) return { name, operator, value: rest.slice(operator.length).trim() };
  }
  const found = /^\s*([^=<>!]+?)\s*(!=|<=|>=|=|<|>)\s*(.*)$/.exec(expression);
  if (found === null)
    throw new UserError(
      `"${expression}" is no condition; write column=value, column!=value or, for numbers, column<value (also <=, >, >=).`,
    );
  return { name: found[1], operator: found[2] as Operator, value: found[3].trim() };
}
