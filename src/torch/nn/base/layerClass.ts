import type { Module } from "./module.ts";

/**
 * The class of a layer that a function makes: constructed with `Args`, with Module's static members. The
 * functions name it as what they give, because declaration files cannot describe a class without a name
 * that has private members.
 */
export type LayerClass<Args extends unknown[], Layer extends Module> = Omit<typeof Module, "prototype"> &
  (new (
    ...args: Args
  ) => Layer);
