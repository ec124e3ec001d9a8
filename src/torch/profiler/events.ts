/** Something that took time: an operator, a kernel, or what `recordFunction` names. */
export interface ProfilerEvent {
  readonly name: string;
  /** Nanoseconds since the first event. */
  readonly start: number;
  /** Nanoseconds. */
  readonly duration: number;
  readonly thread: number;
  readonly device: "cpu" | "accelerator";
  /** What was allocated, negative for what was freed; the events `[memory]` have it. */
  readonly bytes: number;
  readonly flops: number;
  readonly correlation: number;
  readonly linkedCorrelation: number;
  readonly shapes: readonly (readonly number[])[];
}
