import { readFileSync } from "node:fs";

/** The processes that a launcher of ranks has started on this Linux machine, by rank. */
export function ranksOf(launcher: number): number[] {
  const listed = Bun.spawnSync(["ps", "-o", "pid=", "--ppid", String(launcher)]).stdout.toString();
  const byRank: number[] = [];
  for (const pid of listed.trim().split(/\s+/).map(Number)) {
    const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    const rank = variables.find((variable) => variable.startsWith("RANK="));
    if (rank !== undefined) byRank[Number(rank.slice("RANK=".length))] = pid;
  }
  return byRank;
}
