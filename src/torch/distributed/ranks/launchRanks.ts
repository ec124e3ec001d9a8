import { constants } from "node:os";
import { bunProcess } from "../../../common/bunProcess.ts";
import { serveStore } from "./group.ts";

export interface LaunchOptions {
  readonly ranks: number;
  /** The script and its arguments. */
  readonly args: readonly string[];
  /** More variables for all ranks. */
  readonly env?: Record<string, string | undefined>;
  /** What ranks other than 0 write to standard output is dropped. Default false. */
  readonly quietOthers?: boolean;
  /** How long the others may take to end by themselves after one has failed. Default 15. */
  readonly graceSeconds?: number;
  /** Is told of a rank that failed. */
  readonly onFailure?: (sentence: string) => void;
}

/** What torchrun would tell a rank of one machine, whose store somebody else serves at `port`. */
export function rankVariables(rank: number, ranks: number, port: number): Record<string, string> {
  return {
    // On one machine nothing else is needed, and a host name may lead elsewhere.
    GLOO_SOCKET_IFNAME: process.env["GLOO_SOCKET_IFNAME"] ?? (process.platform === "darwin" ? "lo0" : "lo"),
    RANK: String(rank),
    LOCAL_RANK: String(rank),
    WORLD_SIZE: String(ranks),
    LOCAL_WORLD_SIZE: String(ranks),
    MASTER_ADDR: "127.0.0.1",
    MASTER_PORT: String(port),
    TORCHELASTIC_USE_AGENT_STORE: "True",
    TORCHELASTIC_RESTART_COUNT: "0",
  };
}

/** How one rank ended. */
interface Ended {
  readonly rank: number;
  readonly code: number;
  readonly text: string;
}

/**
 * Runs a script as several ranks on this machine, with the variables that torchrun would set, and serves
 * their store. When one fails the others are given time to end by themselves, then ended. Returns the first
 * failure's exit code (128 + its signal), or 0.
 */
export async function launchRanks(options: LaunchOptions): Promise<number> {
  const { ranks, args, quietOthers = false, graceSeconds = 15, onFailure } = options;
  const port = serveStore();
  const children = Array.from({ length: ranks }, (_, rank) => {
    const { cmd, env } = bunProcess(args, { ...options.env, ...rankVariables(rank, ranks, port) });
    return Bun.spawn(cmd, {
      env,
      stdin: rank === 0 ? "inherit" : "ignore",
      stdout: quietOthers && rank > 0 ? "ignore" : "inherit",
      stderr: "inherit",
    });
  });
  // Ctrl-C at a terminal reaches the ranks by itself. They take SIGTERM for the wish to end,
  // saved, however often it comes.
  const forward = () => {
    for (const child of children) child.kill("SIGTERM");
  };
  process.on("SIGINT", forward);
  process.on("SIGTERM", forward);
  const endings = children.map(async (child, rank): Promise<Ended> => {
    const code = await child.exited;
    const signal = child.signalCode === null ? "" : String(child.signalCode);
    const number = constants.signals[signal as NodeJS.Signals] ?? 0;
    return { rank, code: signal ? 128 + number : code, text: signal || `exit code ${code}` };
  });
  let failure: Ended | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const endOthers = (signals: NodeJS.Signals[], seconds: number) => {
    timer = setTimeout(() => {
      for (const child of children)
        if (child.exitCode === null && child.signalCode === null) child.kill(signals[0]);
      if (signals.length > 1) endOthers(signals.slice(1), 5);
    }, 1000 * seconds);
  };
  for (const ending of endings) {
    void ending.then((ended) => {
      if (ended.code === 0 || failure) return;
      failure = ended;
      onFailure?.(`Rank ${ended.rank} ended with ${ended.text}; the others end, too.`);
      endOthers(["SIGTERM", "SIGKILL"], graceSeconds);
    });
  }
  await Promise.all(endings);
  clearTimeout(timer);
  process.off("SIGINT", forward);
  process.off("SIGTERM", forward);
  return failure?.code ?? 0;
}
