import * as torch from "../../torch/index.ts";

/** Two coordinates of every sample, and the share of the variance on either. */
export interface Coordinates {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly explained: readonly [number, number];
}

/** Principal components of the rows of [N, D]. */
export function pcaOf(values: torch.Tensor): Coordinates {
  return torch.tidy(() => {
    const exact = values.to("float64");
    const centred = exact.sub(exact.mean(0, true));
    const [samples, size] = centred.shape;
    if (samples <= size) return leading(centred.matmul(centred.t()));
    // The smaller of the two matrices that have these eigenvalues.
    const [roots, axes] = torch.linalgEigh(centred.t().matmul(centred));
    const eigenvalues = roots.toFloat64Array();
    return coordinates(eigenvalues, (from) =>
      from > size ? torch.zeros([samples]) : centred.matmul(axes.select(1, size - from)),
    );
  });
}

/** Of a matrix of scalar products [N, N]. */
function leading(products: torch.Tensor): Coordinates {
  const [roots, vectors] = torch.linalgEigh(products);
  const eigenvalues = roots.toFloat64Array();
  const n = eigenvalues.length;
  return coordinates(eigenvalues, (from) =>
    vectors.select(1, n - from).mul(Math.sqrt(Math.max(eigenvalues[n - from], 0))),
  );
}

/** `axisOf` gives the coordinates on the axis whose eigenvalue is the first, second from the end. */
function coordinates(eigenvalues: Float64Array, axisOf: (from: number) => torch.Tensor): Coordinates {
  const total = eigenvalues.reduce((sum, value) => sum + Math.max(value, 0), 0);
  const axis = (from: number) => axisOf(from).to("float32").toFloat32Array();
  const share = (from: number) =>
    total > 0 ? Math.max(eigenvalues[eigenvalues.length - from] ?? 0, 0) / total : 0;
  return { x: axis(1), y: axis(2), explained: [share(1), share(2)] };
}
