import { availableParallelism } from "node:os";
import { UserError } from "../../../common/userError.ts";

/** What this process is among those that train together, as whatever started it says. */
export interface RankEnvironment {
  /** From 0 on, over all machines. */
  readonly rank: number;
  readonly worldSize: number;
  /** From 0 on, on this machine. */
  readonly localRank: number;
  /** Ranks on this machine. */
  readonly localWorldSize: number;
  /** Where the ranks meet: the machine of rank 0, or of whoever serves the store. */
  readonly masterAddr: string;
  readonly masterPort: number;
  /** Somebody else (torchrun, `--ranks`) serves the store; else rank 0 does. */
  readonly storeIsThere: boolean;
  /** How often a launcher has started all ranks anew: 0 in the first attempt. */
  readonly restarts: number;
  /** CPU threads that are this rank's share of the machine. */
  readonly threads: number;
  readonly launcher: "torchrun" | "srun" | "mpirun" | "environment";
}

type Variables = Readonly<Record<string, string | undefined>>;

/** PyTorch's default port. */
const defaultPort = 29500;

function wholeNumber(variables: Variables, name: string): number | undefined {
  const text = variables[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw new UserError(
      `The variable ${name} must be a whole number from 0 on, got "${text}"; unset or correct it.`,
    );
  return value;
}

/** The first of some variables that is set. */
function firstOf(variables: Variables, names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = wholeNumber(variables, name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/**
 * The first host of a list as Slurm writes it: `node[003-007,9]` is `node003`.
 * @example firstHost("gpu-[07,09],cpu1"); // "gpu-07"
 */
export function firstHost(list: string): string {
  const [, prefix = "", numbers, suffix = ""] = /^([^[,]*)(?:\[([^\]]*)\])?([^,[]*)/.exec(list.trim()) ?? [];
  if (numbers === undefined) return `${prefix}${suffix}`;
  return `${prefix}${numbers.split(/[-,]/)[0]}${suffix}`;
}

/** Slurm's `2(x3),1`: tasks of each machine. The entry of this machine. */
function tasksOfNode(text: string | undefined, node: number): number | undefined {
  const counts = (text ?? "").split(",").flatMap((part) => {
    const [, count, times = "1"] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part.trim()) ?? [];
    return count === undefined ? [] : new Array<number>(Number(times)).fill(Number(count));
  });
  return counts[node];
}

/**
 * Of a step of Slurm's with more than one task. In a batch script, where the tasks' number is known but there
 * is one process, it is not set.
 */
function ofSrun(variables: Variables) {
  const worldSize = wholeNumber(variables, "SLURM_STEP_NUM_TASKS");
  const rank = wholeNumber(variables, "SLURM_PROCID");
  if (worldSize === undefined || rank === undefined || worldSize < 2) return null;
  const node = wholeNumber(variables, "SLURM_NODEID") ?? 0;
  const hosts = variables["SLURM_STEP_NODELIST"] ?? variables["SLURM_JOB_NODELIST"];
  return {
    launcher: "srun" as const,
    rank,
    worldSize,
    localRank: wholeNumber(variables, "SLURM_LOCALID") ?? 0,
    localWorldSize: tasksOfNode(variables["SLURM_STEP_TASKS_PER_NODE"], node) ?? 1,
    address: hosts === undefined ? undefined : firstHost(hosts),
    // Two steps of one job, or two jobs on one machine, should not meet.
    port:
      15000 +
      (((wholeNumber(variables, "SLURM_JOB_ID") ?? 0) + 97 * (wholeNumber(variables, "SLURM_STEP_ID") ?? 0)) %
        10000),
    // Slurm binds a task to its own CPUs.
    threads: wholeNumber(variables, "SLURM_CPUS_PER_TASK"),
  };
}

/** Open MPI, MPICH and those built on them (Intel MPI). */
function ofMpi(variables: Variables) {
  const worldSize = firstOf(variables, ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"]);
  const rank = firstOf(variables, ["OMPI_COMM_WORLD_RANK", "PMI_RANK"]);
  if (worldSize === undefined || rank === undefined || worldSize < 2) return null;
  const localWorldSize = firstOf(variables, ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"]);
  return {
    launcher: "mpirun" as const,
    rank,
    worldSize,
    localRank: firstOf(variables, ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"]) ?? 0,
    localWorldSize: localWorldSize ?? 1,
    address: localWorldSize === worldSize ? "127.0.0.1" : undefined,
    port: defaultPort,
    threads: undefined,
  };
}

/** PyTorch's own variables, which torchrun, `--ranks` and many other launchers set. */
function ofTorchrun(variables: Variables) {
  const worldSize = wholeNumber(variables, "WORLD_SIZE");
  const rank = wholeNumber(variables, "RANK");
  if (worldSize === undefined || rank === undefined) return null;
  const localWorldSize = wholeNumber(variables, "LOCAL_WORLD_SIZE");
  return {
    launcher:
      variables["TORCHELASTIC_RUN_ID"] === undefined ? ("environment" as const) : ("torchrun" as const),
    rank,
    worldSize,
    localRank: wholeNumber(variables, "LOCAL_RANK") ?? rank,
    localWorldSize: localWorldSize ?? worldSize,
    address: undefined,
    port: defaultPort,
    threads: undefined,
  };
}

/**
 * Reads from the environment which rank this process is: PyTorch's variables (torchrun, `--ranks`), those of
 * a Slurm step (srun), or of Open MPI and MPICH. Null where nothing says that this process is one of several.
 * @throws UserError for variables that make no sense, or without an address where the ranks
 * are on several machines.
 */
export function rankEnvironment(
  variables: Variables = process.env,
  processors: number = availableParallelism(),
): RankEnvironment | null {
  const found = ofTorchrun(variables) ?? ofSrun(variables) ?? ofMpi(variables);
  if (!found) return null;
  const { address, port, threads, ...rest } = found;
  const { rank, worldSize, localWorldSize, launcher } = rest;
  if (worldSize < 1 || rank >= worldSize)
    throw new UserError(
      `The environment makes this process rank ${rank} of ${worldSize} (${launcher}); the rank must be below that.`,
    );
  const masterAddr = variables["MASTER_ADDR"] || address || (worldSize === 1 ? "127.0.0.1" : undefined);
  if (!masterAddr)
    throw new UserError(
      `The environment makes this process rank ${rank} of ${worldSize} (${launcher}), but does not say where rank 0 is: set MASTER_ADDR to the name of its machine.`,
    );
  // torchrun gives every rank one thread unless told otherwise, which is no wish of the user's.
  const wished = launcher === "torchrun" ? undefined : wholeNumber(variables, "OMP_NUM_THREADS");
  return {
    ...rest,
    masterAddr,
    masterPort: wholeNumber(variables, "MASTER_PORT") ?? port,
    storeIsThere: variables["TORCHELASTIC_USE_AGENT_STORE"] === "True",
    restarts: wholeNumber(variables, "TORCHELASTIC_RESTART_COUNT") ?? 0,
    threads: Math.max(1, wished || threads || Math.floor(processors / localWorldSize)),
  };
}
