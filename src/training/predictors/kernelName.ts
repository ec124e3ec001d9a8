/** How alike two samples are, told by these two alone: no label and no other sample decides it. */
export type KernelName = "presence" | "counts" | "unifrac" | "branches" | "learned" | "codes";
