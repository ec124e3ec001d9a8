import { failWriter, killWriter } from "./faults/cutWriters.ts";
import { writers } from "./faults/writers.ts";
import { byEffort, type Trial } from "./trial.ts";

/**
 * Every writer is cut off: a call fails, the disk is full from a call on, the process is killed in a
 * call, the power is cut. Failing takes one process, killing one for each call, so that shorter forms
 * kill at every n-th only.
 */
export function crashTrials(): Trial[] {
  return writers.map((writer) => ({
    area: "crash safety",
    what: `${writer.name} cut off`,
    run: async (effort) => {
      const reports = [failWriter(writer, "fail"), failWriter(writer, "full")];
      const every = byEffort(effort, { short: 0, usual: 7, full: 1 });
      if (every > 0)
        reports.push(await killWriter(writer, "kill", every), await killWriter(writer, "power", every));
      return {
        tried: reports.reduce((sum, { tried }) => sum + tried, 0),
        lost: reports.flatMap(({ failures }) => failures),
        leaked: [],
      };
    },
  }));
}
