"""Computes UniFrac of all pairs with scikit-bio, for `bun run bench unifrac`: TABLE TREE METRIC OUTPUT.npy"""

import sys

import numpy as np
from biom import load_table
from skbio import TreeNode
from skbio.diversity import beta_diversity

table_path, tree_path, metric, output = sys.argv[1:]
table = load_table(table_path)
tree = TreeNode.read(tree_path, format="newick", convert_underscores=False)
if len(tree.children) > 2:
    # It takes a tree for rooted only if its root has two children; a length of 0 changes no distance.
    first, *others = tree.children
    tree = TreeNode(children=[first, TreeNode(length=0.0, children=others)])
counts = table.matrix_data.T.toarray().astype(int)
options = {} if metric == "unweighted" else {"normalized": metric == "weighted_normalized"}
matrix = beta_diversity(
    "unweighted_unifrac" if metric == "unweighted" else "weighted_unifrac",
    counts,
    table.ids(),
    otu_ids=table.ids(axis="observation"),
    tree=tree,
    **options,
)
np.save(output, matrix.data)
