export * as data from "./data.ts";
