import { Command, Option } from "commander";
import { chooseDevice } from "../../src/cli/options/chooseDevice.ts";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { median } from "../../src/common/median.ts";
import { UserError } from "../../src/common/userError.ts";
import type { Partner } from "./partner.ts";
import { startPython } from "./pythonPartner.ts";
import type { Work } from "./smallWork.ts";

interface Figures {
  name: string;
  ours_ns: number;
  python_ns: number;
  /** Which of Python's ways was the fastest, where it has several. */
  python_way?: string;
  ratio: number;
  limit: number;
}

interface OpsOptions {
  rounds: number;
  threads: number;
  only?: string;
  device: "auto" | "cpu" | "cuda";
  json: boolean;
}

/** Measurements before the first that counts: the JavaScript of the first calls is not compiled yet. */
const warmUp = 20;

/** Nanoseconds per call. `wait` waits until an accelerator is done. */
function time(work: Work, wait: () => void): number {
  const start = Bun.nanoseconds();
  work.run(work.calls);
  wait();
  return (Bun.nanoseconds() - start) / work.calls;
}

/**
 * Both sides take turns within each round; the ratio is the median of the rounds' ratios, so that a busy
 * machine harms both alike.
 */
async function compare(
  work: Work,
  { partner, rounds, wait }: { partner: Partner; rounds: number; wait: () => void },
): Promise<Figures> {
  for (let i = 0; i < warmUp; i++) work.run(work.calls);
  const ours: number[] = [];
  const theirs = new Map(work.partners.map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    ours.push(time(work, wait));
    for (const [name, times] of theirs) {
      const answer = await partner.ask(`${name} ${work.calls} 1`);
      times.push(answer["median_ns"] as number);
    }
  }
  const [way, times] = [...theirs].sort(([, x], [, y]) => median(x) - median(y))[0];
  return {
    name: work.name,
    ours_ns: median(ours),
    python_ns: median(times),
    ...(theirs.size > 1 ? { python_way: way } : {}),
    ratio: median(ours.map((own, i) => own / times[i])),
    limit: work.limit,
  };
}

function duration(nanoseconds: number): string {
  return nanoseconds < 100_000 ? `${nanoseconds.toFixed(0)} ns` : `${(nanoseconds / 1000).toFixed(0)} us`;
}

export function makeCommand(): Command {
  const device = new Option("--device <name>", "where both compute").choices(["auto", "cpu", "cuda"]);
  return new Command("ops")
    .description(
      "small operators, a small network and an optimizer's step, against Python's torch in the same run",
    )
    .option("--rounds <n>", "turns that both sides take", positiveWholeNumber, 61)
    .option("--threads <n>", "threads of an operator, on both sides", positiveWholeNumber, 1)
    .option("--only <name>", "one line of the table")
    .addOption(device.default("cpu"))
    .action(async (options: OpsOptions) => {
      const torch = await import("../../src/torch/index.ts");
      const { smallWork } = await import("./smallWork.ts");
      const device = await chooseDevice(options.device);
      torch.setNumThreads(options.threads);
      const all = smallWork(device);
      const works = options.only === undefined ? all : all.filter(({ name }) => name === options.only);
      if (works.length === 0)
        throw new UserError(
          `--only: there is no line "${options.only}"; there are ${all.map(({ name }) => name).join(", ")}.`,
        );
      await using partner = await startPython("ops", { threads: options.threads, device });
      const turns = { partner, rounds: options.rounds, wait: () => torch.synchronize() };
      const figures: Figures[] = [];
      if (!options.json) console.log("                  ours    Python's   ratio  promised");
      for (const work of works) {
        const found = await compare(work, turns);
        figures.push(found);
        if (options.json) continue;
        const cells = [
          found.name.padEnd(12),
          duration(found.ours_ns).padStart(10),
          duration(found.python_ns).padStart(11),
          found.ratio.toFixed(2).padStart(7),
          `<= ${found.limit.toFixed(1)}`.padStart(9),
        ];
        console.log(cells.join(" ") + (found.python_way ? `  (${found.python_way})` : ""));
      }
      const facts = {
        libtorch: torch.buildInfo().libtorch,
        python_torch: partner.facts["torch"],
        bun: Bun.version,
        device,
      };
      if (options.json) console.log(JSON.stringify({ ...facts, threads: options.threads, ops: figures }));
      else
        console.log(
          `LibTorch ${facts.libtorch}, Bun ${facts.bun}; Python's torch ${facts.python_torch}; ${options.threads} thread(s)`,
        );
    });
}
