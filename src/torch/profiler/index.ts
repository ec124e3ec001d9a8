/** `torch.profiler`: what ran, and for how long. */
export type { Average, KeyAverages } from "./averages.ts";
export type { ProfilerEvent } from "./events.ts";
export { Profile, type ProfileOptions, profile, recordFunction } from "./profile.ts";
