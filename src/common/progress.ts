/** Is told what is being done, and where it is known, how much of how much of that. */
export type ReportProgress = (
  stage: string,
  amount?: { readonly done: number; readonly total: number; readonly unit: string },
) => void;
