"""Write all groups of cases: `python lab/python/parity OUT_FOLDER [--seed N]`."""

import argparse
from pathlib import Path

import layers
import operators
import optimizers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    store, counts, _ = operators.generate(arguments.out, arguments.seed)
    store.save(seed=arguments.seed)
    print(f"operators: {len(counts)} operators, {len(store.cases)} cases")
    for name, module in (("layers", layers), ("optimizers", optimizers)):
        store = module.generate(arguments.out, arguments.seed)
        store.save(seed=arguments.seed)
        print(f"{name}: {len(store.cases)} cases")


if __name__ == "__main__":
    main()
