const small = new Float64Array(32);
for (let n = 1; n < small.length; n++) small[n] = small[n - 1] + Math.log(n);
const halfLogTau = 0.5 * Math.log(2 * Math.PI);

/**
 * The natural logarithm of n!, for whole numbers from 0 on; Stirling's series beyond 31,
 * right to 1e-13 of its value.
 */
export function logFactorial(n: number): number {
  if (n < small.length) return small[n];
  const inverse = 1 / n;
  const square = inverse * inverse;
  const series = inverse * (1 / 12 - square * (1 / 360 - square / 1260));
  return (n + 0.5) * Math.log(n) - n + halfLogTau + series;
}
