import { UserError } from "../../common/userError.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { silentTerminal } from "../../display/terminal/terminal.ts";
import { launchRanks } from "../../torch/distributed/ranks/launchRanks.ts";
import * as torch from "../../torch/index.ts";
import { currentShare, isMainRank } from "../../training/ranks/share.ts";
import type { RankFlags } from "./rankFlags.ts";
import { beforeReporting } from "./reportGate.ts";

const { distributed } = torch;

/**
 * Where `--ranks` asks for several processes, starts them and ends with their exit code. In one of them, and
 * wherever torchrun, srun or mpirun has started several, joins their group, and takes this rank's share of
 * the threads. Returns which rank this is, null for a process on its own.
 * @throws UserError for a number of ranks that is not that of whoever started them.
 */
export async function joinRanks(
  flags: RankFlags & { threads?: number; deterministic?: boolean },
): Promise<torch.distributed.RankEnvironment | null> {
  const { ranks, rankTimeout } = flags;
  const found = distributed.rankEnvironment();
  if (found === null) {
    if (ranks === undefined || ranks === 1) return null;
    const onFailure = (sentence: string) => console.error(sentence);
    process.exit(await launchRanks({ ranks, args: process.argv.slice(1), quietOthers: true, onFailure }));
  }
  if (ranks !== undefined && ranks !== found.worldSize)
    throw new UserError(
      `--ranks is ${ranks}, but ${found.launcher} has started ${found.worldSize}; leave --ranks out there.`,
    );
  if (found.worldSize === 1) return found;
  if (!flags.threads && !flags.deterministic) torch.setNumThreads(found.threads);
  distributed.initProcessGroup({ timeoutSeconds: rankTimeout });
  // What one rank has told, others need not repeat: whoever started them here shows it all on one terminal.
  beforeReporting((error) => distributed.announceEnd(error) || found.launcher !== "environment");
  return found;
}

/** The device of a rank among those of its machine. */
export function deviceOfRank(
  device: torch.Device,
  found: torch.distributed.RankEnvironment | null,
): torch.Device {
  if (device !== "cuda" || found === null) return device;
  const index = found.localRank % torch.cuda.deviceCount();
  torch.cuda.setDevice(index);
  return `cuda:${index}`;
}

/** Rank 0 shows what happens; the others would show the same. */
export function displayOfRank(flags: { quiet: boolean; json: boolean }): ProgressDisplay {
  return isMainRank()
    ? new ProgressDisplay(chooseDisplayMode(flags))
    : new ProgressDisplay("quiet", silentTerminal);
}

/** What rank 0 prepares on the disk, the others find there. */
export async function firstOnRankZero<T>(open: () => Promise<T>): Promise<T> {
  if (currentShare() === null) return await open();
  let opened: { value: T } | null = null;
  await distributed.onRankZero(async () => {
    opened = { value: await open() };
  });
  return (opened as { value: T } | null)?.value ?? (await open());
}
