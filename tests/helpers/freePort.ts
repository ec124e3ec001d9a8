let given = 0;

/**
 * A port of this machine that nobody listens on. It is none of those that the system hands out (from 32,768
 * on, on Linux), which another process could be given before it is used.
 */
export function freePort(): number {
  for (let tries = 0; ; tries++) {
    const port = 15_000 + ((7 * process.pid + given++) % 15_000);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch (cause) {
      if (tries === 20) throw cause;
    }
  }
}
