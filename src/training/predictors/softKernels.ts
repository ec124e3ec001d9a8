import type { Dataset } from "../../data/dataset/dataset.ts";
import type { ShearedTree } from "../../data/unifrac/shearTree.ts";
import type { SetDistance } from "../../models/setDistance.ts";
import type { SetEncoder } from "../../models/setEncoder.ts";
import * as torch from "../../torch/index.ts";
import { encodeAsvs, mapAsvChunks } from "../encoding/encodeAsvs.ts";
import type { KernelName } from "./kernelName.ts";
import { SoftSets } from "./softSets.ts";

/** Kernels as smooth functions of presence, the usual ones where it is 0 or 1. */
export interface SoftKernels {
  /** What ASVs have in common. */
  readonly sets: SoftSets;
  /** Presence [P, A] and degrees of `sets` [P, size], in float64 -> coordinates [P, D]. */
  coordinates(presence: torch.Tensor, degrees: torch.Tensor): torch.Tensor;
  /** Likeness [P, N] of samples with these coordinates, by each of some kernels in turn. */
  likeness(names: readonly KernelName[], some: torch.Tensor, others: torch.Tensor): torch.Tensor[];
}

/** 1 - unweighted UniFrac and the length of shared branches; the things that ASVs have are branches. */
export function softTree({ parent, length, tipOfAsv }: ShearedTree): SoftKernels {
  const above = Array.from(tipOfAsv, (tip) => {
    const own: number[] = [];
    for (let node = tip; node > 0; node = parent[node]) if (length[node] > 0) own.push(node);
    return own;
  });
  const lengths = torch.tensor(length).detachFromScope();
  return {
    sets: new SoftSets(above, length.length),
    coordinates: (_presence, degrees) => degrees,
    likeness(names, some, others) {
      const shared = some.matmul(others.mul(lengths).t());
      return names.map((name) => {
        if (name === "branches") return shared;
        const all = some.matmul(lengths).unsqueeze(1).add(others.matmul(lengths));
        return shared.div(all.sub(shared));
      });
    },
  };
}

/** Products of a set encoder's coordinates, and 1 - the distances that it predicts. Of a `union` alone. */
export function softEncoder(
  encoder: SetEncoder,
  dataset: Dataset,
  maxBp: number | undefined,
  distance: SetDistance | null,
): SoftKernels {
  const { sets: words, pooling } = encoder;
  const asvs = Array.from({ length: dataset.asvCount }, (_, asv) => asv);
  const reading = { device: "cpu", batch: { maxBp } } as const;
  const [codes, lengths] = torch.noGrad(() =>
    torch.tidy(() => {
      const known = encodeAsvs(encoder.asvEncoder, dataset, asvs, reading).softplus().to("float64");
      return [known.narrow(1, 0, encoder.dim), known.select(1, encoder.dim)].map((part) =>
        part.contiguous().detachFromScope(),
      );
    }),
  );
  // Words that no ASV has are left out; the others are numbered as they come.
  const numbers = new Map<number, number>();
  const worth: number[] = [];
  const thingsOf = asvs.map((): number[] => []);
  words.forEach((set, which) => {
    const worths = torch.noGrad(() => torch.tidy(() => set.worths().toFloat64Array()));
    mapAsvChunks(dataset, asvs, reading, ({ tokens, places }) => {
      set.columnsOf(set.index.rowsOf(tokens)).forEach((own, i) => {
        for (const column of own) {
          const word = column * words.length + which;
          if (!numbers.has(word)) numbers.set(word, worth.push(worths[column]) - 1);
          thingsOf[places[i]].push(numbers.get(word)!);
        }
      });
    });
  });
  const worths = torch.tensor(Float64Array.from(worth)).detachFromScope();
  return {
    sets: new SoftSets(thingsOf, worth.length),
    coordinates: (presence, degrees) =>
      torch.cat(
        [pooling.forward(presence.matmul(codes)), degrees.mul(worths), pooling.own(presence, lengths)],
        1,
      ),
    likeness: (names, some, others) =>
      names.map((name) =>
        name === "codes" ? some.matmul(others.t()) : distance!.forward(some, others).neg().add(1),
      ),
  };
}
