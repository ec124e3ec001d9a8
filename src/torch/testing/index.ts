/** `torch.testing`: comparing tensors in tests. */
export { assertClose, type CloseOptions, type Comparable, NotCloseError } from "./assertClose.ts";
