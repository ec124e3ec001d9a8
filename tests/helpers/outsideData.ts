import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const named = process.env["AAM_TEST_DATA"] || undefined;
if (named !== undefined && !existsSync(named)) {
  throw new Error(
    `AAM_TEST_DATA names ${named}, which does not exist: name the folder of test data, or unset it.`,
  );
}

/**
 * Real studies, too large for the repository, in the folder that AAM_TEST_DATA names. Where it is not
 * set this is a folder that does not exist: tests that need one of its files skip themselves, and the
 * totals say how many did.
 */
export const outsideData: string = named ?? join(import.meta.dir, "AAM_TEST_DATA is not set");

/** Parity cases beside these studies. */
export const outsideParity: string = join(dirname(outsideData), "parity");
