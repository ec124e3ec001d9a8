/** Sections of a configuration, with the former names of settings in them and their names now. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  split: { validationShare: "testSize" },
  model: { distance: "distanceForm" },
  training: { floor: "lrFloor" },
};

/** A configuration, as an older run or file may have it, with each setting under its present name. */
export function withPresentNames(config: unknown): unknown {
  if (typeof config !== "object" || config === null) return config;
  return Object.fromEntries(
    Object.entries(config).map(([section, settings]) => {
      const names = renamed[section];
      if (!names || typeof settings !== "object" || settings === null) return [section, settings];
      // One that is there under both names is left to the schema, which refuses the former one.
      const named = Object.entries(settings).map(([name, value]) => {
        const present = names[name] ?? name;
        return [present in settings ? name : present, value];
      });
      return [section, Object.fromEntries(named)];
    }),
  );
}
