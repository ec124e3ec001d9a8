import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { whyNoCuda } from "../../lab/cudaCheck/host.ts";
import { runStage } from "../../lab/cudaCheck/runStage.ts";
import { deviceTests, parityTotals, stagesOf, testTotals } from "../../lab/cudaCheck/stages.ts";
import { isCudaAvailable } from "../../src/torch/index.ts";

const root = resolve(import.meta.dir, "../..");

function cudaCheck(...args: string[]): { code: number; out: string; err: string } {
  const done = Bun.spawnSync(["sh", "scripts/cuda-check.sh", ...args], {
    cwd: root,
    env: { ...process.env, PATH: `${resolve(process.execPath, "..")}:${process.env["PATH"]}` },
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
}

const names = (...[options]: Parameters<typeof stagesOf>) => stagesOf(options).map(({ name }) => name);

test("the dry run has the stages of the real one, and quick leaves only larger steps out", () => {
  const cuda = names({ device: "cuda", quick: false });
  expect(names({ device: "cpu", quick: false })).toEqual(cuda);
  expect(new Set(cuda).size).toBe(cuda.length);
  const dropped = cuda.filter((name) => !names({ device: "cuda", quick: true }).includes(name));
  expect(dropped).toEqual(["bench-step-larger", "bench-step-largest"]);
  for (const part of ["build", "parity-fixtures", "parity-python", "test-torch-gradcheck"])
    expect(cuda).toContain(part);
  for (const subject of ["ops", "step", "train", "predict", "encoder", "unifrac"])
    expect(cuda).toContain(`bench-${subject}`);
});

test("every stage computes on the device that is asked for", () => {
  for (const { name, command, env } of stagesOf({ device: "cuda", quick: false })) {
    const told = command.join(" ").includes("--device cuda") || env?.["AAM_TEST_DEVICE"] === "cuda";
    expect({ name, told }).toEqual({ name, told: name !== "build" });
  }
  for (const file of deviceTests) {
    expect(existsSync(join(root, file))).toBe(true);
    // By itself, or through a helper beside it.
    expect(readFileSync(join(root, file), "utf8")).toMatch(/testDevice|pythonCases|\/study|isCudaAvailable/);
  }
});

test.skipIf(isCudaAvailable())("without CUDA it says so in one sentence that names the dry run", () => {
  const { code, out, err } = cudaCheck();
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err.trim().split("\n")).toHaveLength(1);
  expect(err).toContain("scripts/cuda-check.sh --cpu");
  const gpu = { name: "GPU", driver: "580", memory_mib: 1 };
  expect(whyNoCuda(null, [])).toContain("No LibTorch");
  expect(whyNoCuda({ version: "2.13.0", cuda: "13.0" }, [])).toContain("no NVIDIA GPU");
  expect(whyNoCuda({ version: "2.13.0", cuda: "13.0" }, [gpu])).toBeNull();
});

test("a dry run prints one JSON report and nothing else on standard output", () => {
  const { code, out, err } = cudaCheck("--cpu", "--only", "build", "test-models-sequencePredictor");
  const report = JSON.parse(out);
  expect({ code, passed: report.passed, failed: report.failed }).toEqual({
    code: 0,
    passed: true,
    failed: [],
  });
  const { subject, device, quick, libtorch, host } = report;
  expect({ subject, device, quick }).toEqual({ subject: "cuda-check", device: "cpu", quick: false });
  expect(libtorch.version).toMatch(/^2\./);
  expect(host.processors).toBeGreaterThan(0);
  expect(report.stages.map(({ name, status }: { name: string; status: string }) => [name, status])).toEqual([
    ["build", "passed"],
    ["test-models-sequencePredictor", "passed"],
  ]);
  expect(report.stages[0].figures.build.libtorch).toBe(libtorch.version);
  expect(report.stages[1].figures).toMatchObject({ failed: 0, skipped: 0 });
  expect(err).toContain("All stages passed.");
  const typo = cudaCheck("--cpu", "--only", "paritty");
  expect({ code: typo.code, out: typo.out }).toEqual({ code: 1, out: "" });
  expect(typo.err).toContain('There is no stage "paritty"; there are build, parity-fixtures');
});

test("the native part needs no header of CUDA, so that it is compiled as a whole on machines without it", () => {
  const folder = join(root, "native");
  const sources = readdirSync(folder).filter((name) => /\.(cpp|h)$/.test(name));
  expect(sources.length).toBeGreaterThan(8);
  for (const name of sources) {
    // Process groups have a part for NCCL, which is compiled where its headers are and left out elsewhere.
    const text = readFileSync(join(folder, name), "utf8").replace(/#ifdef AAMT_WITH_NCCL[\s\S]*?#endif/g, "");
    const [headers, branches] = [/^\s*#\s*include.*cuda/gim, /^\s*#\s*if.*cuda/gim];
    expect({ name, found: [...(text.match(headers) ?? []), ...(text.match(branches) ?? [])] }).toEqual({
      name,
      found: [],
    });
  }
});

test("a stage fails by its exit code, or where it has nothing to show, and keeps its last lines", async () => {
  let shown = "";
  const show = (text: string) => {
    shown += text;
  };
  const program = 'for (let i = 0; i < 99; i++) console.log("line", i); process.exit(3)';
  const failed = await runStage({ name: "x", command: ["-e", program], figures: () => 1 }, show);
  expect(failed.status).toBe("failed");
  expect(failed.failure!.reason).toBe("it ended with 3");
  expect(failed.failure!.lines.at(-1)).toBe("line 98");
  expect(failed.failure!.lines.length).toBeLessThan(40);
  expect(shown).toContain("line 0\n");
  const empty = await runStage({ name: "x", command: ["-e", "0"], figures: testTotals }, show);
  expect(empty.failure!.reason).toBe("no test ran");
  const output = (err: string) => ({ code: 0, out: "", err });
  expect(testTotals(output(" 3 pass\n 2 skip\n 0 fail\n"))).toEqual({ passed: 3, skipped: 2, failed: 0 });
  expect(() => testTotals(output(" 0 pass\n 9 skip\n"))).toThrow("no test ran");
  expect(parityTotals({ ...output(""), out: "7 of 8 cases passed\n" })).toEqual({ passed: 7, cases: 8 });
  expect(() => parityTotals(output(""))).toThrow("no case");
});
