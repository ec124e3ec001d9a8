/** `torch.distributions`: random numbers, their densities, entropies and divergences. */
export { Beta, Dirichlet, Gamma, Normal, Uniform } from "./continuous.ts";
export { Bernoulli, Categorical, Multinomial, Poisson, type ProbsOrLogits } from "./discrete.ts";
export { Distribution, type DistributionOptions, type Parameter } from "./distribution.ts";
export { klDivergence } from "./klDivergence.ts";
