import { Command } from "commander";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds, without } from "../../data/alikeIds.ts";
import { pairCount } from "../../data/distances/distances.ts";
import { groupDistances } from "../../data/statistics/grouping.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { addDistanceOptions, type DistanceFlags, distancesFrom } from "../options/distanceSource.ts";
import { wholeNumber } from "../options/optionValues.ts";
import { shownMetadata } from "../options/shownMetadata.ts";
import { pText, rowsText, statisticText } from "../text/statisticsText.ts";

interface GroupTestFlags extends DistanceFlags {
  readonly metadata: string;
  readonly column: string;
  readonly strata?: string;
  readonly pairwise: boolean;
  readonly permutations: number;
  readonly output?: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Pairs that are printed. */
const mostPairs = 20;

export const makePermanova = () =>
  makeTest(
    "permanova",
    "Test whether groups of samples have different centres, from their distances (PERMANOVA)",
  );

export const makeAnosim = () =>
  makeTest(
    "anosim",
    "Test whether samples are more alike within groups than between them, from ranks of their distances (ANOSIM)",
  );

function makeTest(name: "permanova" | "anosim", description: string): Command {
  return addDistanceOptions(new Command(name).description(description))
    .optionsGroup("Groups:")
    .requiredOption("--metadata <file>", "metadata of the samples")
    .requiredOption("--column <name>", "metadata column whose values are the groups")
    .option("--strata <column>", "permute only within the groups of this column, such as subjects")
    .option("--pairwise", "also test each pair of groups, with p corrected for the number of pairs", false)
    .optionsGroup("Output:")
    .option("-o, --output <file>", "also write the result as a table, with a row for each pair: .tsv")
    .optionsGroup("Computing:")
    .option("--permutations <n>", "permutations of the groups; 0 gives no p", wholeNumber, 999)
    .option("--seed <n>", "decides the permutations and the rarefaction", wholeNumber, 0)
    .option("--json", "print JSON lines", false)
    .option("--quiet", "print warnings only", false)
    .action((flags: GroupTestFlags) => run(name, flags));
}

async function run(name: "permanova" | "anosim", flags: GroupTestFlags): Promise<void> {
  const { column, permutations, seed, output } = flags;
  if (flags.pairwise && flags.strata !== undefined)
    throw new UserError("--pairwise tests pairs of groups without strata; leave --strata or it out.");
  if (output !== undefined) checkOutput(output, [".tsv"], "a result");
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const metadata = shownMetadata(flags.metadata, display);
  const source = await distancesFrom(flags, display);
  const { distances, groups, strata, withoutValue } = groupDistances(
    source.distances,
    metadata,
    column,
    flags.strata,
  );
  if (withoutValue.length > 0)
    display.warn(
      `${withoutValue.length} of ${source.distances.ids.length} samples have no value in ${metadata.source} and were left out; the first is ${quote(withoutValue[0])}${alikeIds(without(withoutValue, metadata.ids), without(metadata.ids, source.distances.ids))}.`,
    );
  const lonely = groups.names.filter((_, group) => groups.sizes[group] === 1);
  if (lonely.length > 0)
    display.warn(
      `${lonely.length === 1 ? "One group has" : `${lonely.length} groups have`} one sample alone (${quote(lonely[0])}) and so no distance within; leave such groups out if they are not meant.`,
    );
  const tests = await import("../../data/statistics/groupTests.ts");
  display.begin("Permuting", permutations, "permutations");
  const result = tests[name](distances, groups, {
    permutations,
    seed,
    strata: strata?.of,
    onProgress: (done) => display.update(done),
  });
  display.end();
  const { method, statisticName, statistic, samples, p, r2 } = result;
  const sizes = groups.names.map((group, i) => `${group} ${groups.sizes[i]}`);
  const shown = sizes.length > 8 ? [...sizes.slice(0, 8), "..."] : sizes;
  display.message(
    `${samples} samples of ${source.name}; ${groups.names.length} groups of ${column}: ${shown.join(", ")}`,
  );
  const share =
    r2 === undefined
      ? ""
      : `, R² ${statisticText(r2)} (the share of the squared distances that groups explain)`;
  display.message(
    `${method}: ${statisticName} ${statisticText(statistic)}${share}, ${pText(p, permutations)}`,
  );
  const row = {
    method,
    column,
    strata: flags.strata,
    samples,
    groups: groups.names.length,
    "statistic-name": statisticName,
    statistic,
    "p-value": p,
    permutations,
    r2,
  };
  const rows: Record<string, string | number | undefined>[] = [
    { ...row, ...(flags.pairwise && { pair: "", "q-value": "" }) },
  ];
  if (flags.pairwise) {
    const { pairwise } = await import("../../data/statistics/pairwiseTests.ts");
    display.begin("Comparing groups", pairCount(groups.names.length), "pairs");
    const onProgress = (done: number) => display.update(done);
    const pairs = pairwise(tests[name], distances, groups, { permutations, seed, onProgress });
    display.end();
    const untested = pairCount(groups.names.length) - pairs.length;
    if (untested > 0)
      display.warn(
        `${untested} of ${pairs.length + untested} pairs of groups cannot be tested (two single samples, or distances that are all 0) and were left out.`,
      );
    for (const { pair, statistic: value, p: chance, q } of pairs.slice(0, mostPairs))
      display.message(
        `${pair.join(" - ")}: ${statisticName} ${statisticText(value)}, ${pText(chance, permutations)}` +
          (permutations === 0 ? "" : `, q ${statisticText(q)}`),
      );
    if (pairs.length > mostPairs)
      display.message(
        `${pairs.length - mostPairs} more pairs are ${output === undefined ? "shown with --output" : `in ${output}`}`,
      );
    for (const one of pairs)
      rows.push({
        ...row,
        samples: one.samples,
        groups: 2,
        statistic: one.statistic,
        "p-value": one.p,
        r2: one.r2,
        pair: one.pair.join(" - "),
        "q-value": one.q,
      });
  }
  if (output !== undefined) {
    writeFileAtomic(output, rowsText(rows));
    display.message(`The result is in ${output}`);
  }
  display.record(name, row);
}
