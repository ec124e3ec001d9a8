throw new Error(
  "aam-torch and aam-bun run on Bun 1.4 or newer (they call LibTorch through bun:ffi): install Bun, then start the program with `bun FILE`.",
);
