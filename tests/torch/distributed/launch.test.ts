import { expect, test } from "bun:test";
import { firstHost, rankEnvironment } from "../../../src/torch/distributed/ranks/launch.ts";

test("a process that nobody started as a rank is none", () => {
  expect(rankEnvironment({}, 8)).toBeNull();
  // A batch script of Slurm's knows how many tasks there could be, but is one process.
  expect(rankEnvironment({ SLURM_PROCID: "0", SLURM_NTASKS: "4", SLURM_JOB_ID: "7" }, 8)).toBeNull();
  expect(rankEnvironment({ SLURM_PROCID: "0", SLURM_STEP_NUM_TASKS: "1" }, 8)).toBeNull();
});

test("torchrun", () => {
  const variables = {
    RANK: "9",
    LOCAL_RANK: "1",
    WORLD_SIZE: "16",
    LOCAL_WORLD_SIZE: "8",
    MASTER_ADDR: "node1",
    MASTER_PORT: "29400",
    TORCHELASTIC_RESTART_COUNT: "2",
    TORCHELASTIC_USE_AGENT_STORE: "True",
    TORCHELASTIC_RUN_ID: "none",
    OMP_NUM_THREADS: "1",
  };
  expect(rankEnvironment(variables, 32)).toEqual({
    launcher: "torchrun",
    rank: 9,
    worldSize: 16,
    localRank: 1,
    localWorldSize: 8,
    masterAddr: "node1",
    masterPort: 29400,
    storeIsThere: true,
    restarts: 2,
    threads: 4,
  });
});

test("srun: the first machine of the step serves the store, a task has its own processors", () => {
  const variables = {
    SLURM_PROCID: "5",
    SLURM_LOCALID: "1",
    SLURM_NODEID: "1",
    SLURM_STEP_NUM_TASKS: "6",
    SLURM_STEP_TASKS_PER_NODE: "4,2",
    SLURM_STEP_NODELIST: "gpu-[07,09]",
    SLURM_JOB_ID: "123456",
    SLURM_STEP_ID: "0",
    SLURM_CPUS_PER_TASK: "6",
  };
  expect(rankEnvironment(variables, 6)).toEqual({
    launcher: "srun",
    rank: 5,
    worldSize: 6,
    localRank: 1,
    localWorldSize: 2,
    masterAddr: "gpu-07",
    masterPort: 15000 + 3456,
    storeIsThere: false,
    restarts: 0,
    threads: 6,
  });
  expect(
    rankEnvironment(
      { ...variables, MASTER_ADDR: "other", MASTER_PORT: "5", SLURM_STEP_TASKS_PER_NODE: "3(x2)" },
      12,
    ),
  ).toMatchObject({
    masterAddr: "other",
    masterPort: 5,
    localWorldSize: 3,
  });
});

test.each([
  ["node1", "node1"],
  ["node[003-007,9]", "node003"],
  ["gpu-[07,09],cpu1", "gpu-07"],
  ["a,b", "a"],
  ["rack[1-2]node", "rack1node"],
])("the first host of %s is %s", (list, host) => {
  expect(firstHost(list)).toBe(host);
});

test("mpirun: on one machine without an address, on several it must be given", () => {
  const openMpi = {
    OMPI_COMM_WORLD_RANK: "1",
    OMPI_COMM_WORLD_SIZE: "2",
    OMPI_COMM_WORLD_LOCAL_RANK: "1",
    OMPI_COMM_WORLD_LOCAL_SIZE: "2",
  };
  expect(rankEnvironment(openMpi, 8)).toMatchObject({
    launcher: "mpirun",
    rank: 1,
    localRank: 1,
    masterAddr: "127.0.0.1",
    masterPort: 29500,
    threads: 4,
  });
  const spread = { ...openMpi, OMPI_COMM_WORLD_LOCAL_SIZE: "1" };
  expect(() => rankEnvironment(spread, 8)).toThrow("set MASTER_ADDR to the name of its machine");
  const intel = {
    PMI_RANK: "3",
    PMI_SIZE: "4",
    MPI_LOCALRANKID: "1",
    MPI_LOCALNRANKS: "2",
    MASTER_ADDR: "n1",
  };
  expect(rankEnvironment({ ...intel, OMP_NUM_THREADS: "3" }, 8)).toMatchObject({
    rank: 3,
    localRank: 1,
    threads: 3,
  });
});

test("variables that make no sense are named", () => {
  expect(() => rankEnvironment({ RANK: "x", WORLD_SIZE: "2" }, 2)).toThrow(
    'RANK must be a whole number from 0 on, got "x"',
  );
  expect(() => rankEnvironment({ RANK: "2", WORLD_SIZE: "2", MASTER_ADDR: "a" }, 2)).toThrow("rank 2 of 2");
});
