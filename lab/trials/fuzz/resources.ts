import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** What reading one input took. */
export interface Resources {
  /** Processor time of all threads: a busy machine makes no input slow. */
  readonly milliseconds: number;
  /** Memory beyond what was in use before, at its highest; resident and in array buffers. */
  readonly bytes: number;
}

const resetFile = "/proc/self/clear_refs";
const canMeasurePeak = existsSync(resetFile);

function residentPeak(): { now: number; peak: number } {
  const status = readFileSync("/proc/self/status", "latin1");
  const kilobytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return { now: kilobytes("VmRSS") * 1024, peak: kilobytes("VmHWM") * 1024 };
}

/** Starts measuring; the result tells what was taken until it is called. */
export function measureResources(): () => Resources {
  // 5: the highest resident size starts anew from the present one.
  if (canMeasurePeak) writeFileSync(resetFile, "5");
  const before = canMeasurePeak ? residentPeak().now : 0;
  const buffersBefore = process.memoryUsage().arrayBuffers;
  const cpuBefore = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(cpuBefore);
    const buffers = process.memoryUsage().arrayBuffers - buffersBefore;
    const resident = canMeasurePeak ? residentPeak().peak - before : 0;
    return { milliseconds: (user + system) / 1000, bytes: Math.max(buffers, resident) };
  };
}
