/**
 * A metadata column of a map's samples; numbers and texts are missing where they are null or their code is
 * -1.
 */
export type MapColumn =
  | { readonly name: string; readonly kind: "number"; readonly values: readonly (number | null)[] }
  | {
      readonly name: string;
      readonly kind: "text";
      readonly categories: readonly string[];
      readonly codes: readonly number[];
    };

/** One place for each sample. */
export interface MapPlaces {
  readonly title: string;
  /** Titles of the axes, such as `PCo 1 (23.1 %)`. */
  readonly axes: readonly [x: string, y: string];
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** What the page holds for its maps: the same samples in one or several panels. */
export interface MapData {
  readonly samples: readonly string[];
  readonly panels: readonly MapPlaces[];
  readonly columns: readonly MapColumn[];
  /** The column that colours the points at first. */
  readonly colour: number;
}
