/**
 * Run as a rank by faults.test.ts: sums in a loop until something happens. The first argument says what,
 * the second to which rank, which says "now" on its standard output.
 */
import { writeSync } from "node:fs";
import * as torch from "../../../src/torch/index.ts";

const { distributed } = torch;
const [fault, victim, limit] = process.argv.slice(2);
const isVictim = Number(process.env["RANK"]) === Number(victim);
if (fault === "absent" && isVictim) process.exit(0);
try {
  distributed.initProcessGroup({ timeoutSeconds: Number(limit), checked: fault === "mismatch" });
  const value = torch.zeros([100_000]);
  for (let step = 0; step < 100_000; step++) {
    if (step === 20 && isVictim) {
      writeSync(1, "now\n");
      if (fault === "kill") process.kill(process.pid, "SIGKILL");
      if (fault === "stop") process.kill(process.pid, "SIGSTOP");
      if (fault === "error") throw new Error("the disk is full");
      if (fault === "mismatch") distributed.allReduce(torch.zeros([3]));
      if (fault === "leave") process.exit(0);
    }
    if (fault === "wait" && step === 20) {
      await distributed.onRankZero(async () => {
        if (isVictim) process.kill(process.pid, "SIGKILL");
        await Bun.sleep(60_000);
      });
    }
    distributed.allReduce(value);
  }
} catch (error) {
  distributed.announceEnd(error);
  console.error(`[${process.env["RANK"]}] ${(error as Error).message}`);
  process.exit(1);
}
