/** `torch.linalg`: the operators named `linalg...`, without the prefix. */
export {
  linalgCholesky as cholesky,
  linalgDet as det,
  linalgEigh as eigh,
  linalgInv as inv,
  linalgLstsq as lstsq,
  linalgMatrixNorm as matrixNorm,
  linalgMatrixPower as matrixPower,
  linalgMatrixRank as matrixRank,
  linalgNorm as norm,
  linalgPinv as pinv,
  linalgQr as qr,
  linalgSlogdet as slogdet,
  linalgSolve as solve,
  linalgSvd as svd,
  linalgVectorNorm as vectorNorm,
} from "../dispatch/ops.gen.ts";
