"""Reads tables and trees with biom-format and scikit-bio, and finds principal coordinates, for `bun run
bench data`: a line of JSON with a job comes in, one with the seconds it took goes out."""

import json
import sys
import time


def read_table(path):
    from biom import load_table

    return load_table(path)


def read_tree(path):
    from skbio import TreeNode

    return TreeNode.read(path, format="newick", convert_underscores=False)


def find_axes(path):
    import numpy
    from skbio import DistanceMatrix
    from skbio.stats.ordination import pcoa

    matrix = DistanceMatrix(numpy.load(path))
    return pcoa(matrix, method="fsvd", dimensions=10, inplace=True, warn_neg_eigval=False)


jobs = {"table": read_table, "tree": read_tree, "pcoa": find_axes}

for line in sys.stdin:
    job = json.loads(line)
    try:
        start = time.perf_counter()
        jobs[job["do"]](job["path"])
        answer = {"seconds": time.perf_counter() - start}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
