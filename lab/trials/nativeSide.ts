import { buildDriver, hasSanitizer, isDriverBuilt, runDriver } from "./native/sanitize.ts";
import { byEffort, skipped, type Trial } from "./trial.ts";

/**
 * The shim's sources under AddressSanitizer and UndefinedBehaviorSanitizer, driven from
 * C++. Building takes minutes.
 */
export const nativeTrials = (): Trial[] => [
  {
    area: "native side",
    what: "the shim under AddressSanitizer and UBSan",
    run: async (effort) => {
      if (!hasSanitizer("address")) return skipped("the compiler has no AddressSanitizer");
      if (effort === "short" && !isDriverBuilt("address"))
        return skipped("not built; bun lab/trials/native/sanitize.ts builds it");
      const times = byEffort(effort, { short: 1, usual: 1, full: 10 });
      const outcomes = runDriver(await buildDriver("address"), "address", times);
      return {
        tried: outcomes.length,
        lost: outcomes.filter(({ passed }) => !passed).map(({ part, output }) => `${part}: ${output}`),
        leaked: [],
        note: outcomes.map(({ part }) => part).join(", "),
      };
    },
  },
];
