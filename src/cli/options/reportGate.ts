let mayReport: (error: unknown) => boolean = () => true;

/** Is asked before an error is told, and may keep it from being told here (another process has told it). */
export function beforeReporting(ask: (error: unknown) => boolean): void {
  mayReport = ask;
}

/** Whether this process is to tell an error with which it ends. */
export function isToBeReported(error: unknown): boolean {
  return mayReport(error);
}
