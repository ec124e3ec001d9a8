/**
 * What a position of a sequence is to the models. 0 is both padding and every character that is no
 * definite base (N and the other IUPAC codes, gaps, digits): it is left out of attention but keeps its
 * position. The four bases are 1 to 4.
 */
export const padToken = 0;
export const bases = "ACGT";
/** Stands before the first base. */
export const startToken = 5;
/** Written over positions that are to be predicted, never by the tokenizer. */
export const maskToken = 6;
