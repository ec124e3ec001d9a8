"""Types, formats and actions in QIIME 2's own framework; skipped where it is not installed."""

import json
import os
import shutil
import tempfile
import unittest

try:
    import biom
    import numpy
    import skbio
    from qiime2 import Artifact
    from qiime2.plugin import ValidationError
    from qiime2.plugins import aam as plugin

    from q2_aam import actions, command
    from q2_aam.types import AAMModelDirectoryFormat
except ImportError as error:
    raise unittest.SkipTest(f"QIIME 2 is not installed here: {error}") from error

aam = shutil.which(os.environ.get("AAM", "aam"))


def model_folder(checkpoint):
    """A folder of the model's format, with these bytes for its checkpoint."""
    folder = tempfile.mkdtemp()
    os.makedirs(os.path.join(folder, "checkpoints"))
    for name in (*command.RUN_FILES, command.REPORT):
        with open(os.path.join(folder, name), "w") as file:
            file.write("{}")
    with open(os.path.join(folder, command.CHECKPOINT), "wb") as file:
        file.write(checkpoint)
    return folder


def safetensors():
    header = json.dumps({}).encode()
    return len(header).to_bytes(8, "little") + header


class Formats(unittest.TestCase):
    def test_a_model_is_validated(self):
        AAMModelDirectoryFormat(model_folder(safetensors()), mode="r").validate("max")

    def test_a_checkpoint_of_another_kind_is_refused(self):
        for content in (b"", b"no tensors at all", b"\xff" * 64):
            with self.assertRaisesRegex(ValidationError, "no safetensors file"):
                AAMModelDirectoryFormat(model_folder(content), mode="r").validate("max")

    def test_a_folder_without_a_checkpoint_is_refused(self):
        folder = model_folder(safetensors())
        os.remove(os.path.join(folder, command.CHECKPOINT))
        with self.assertRaisesRegex(ValidationError, "checkpoints/best.safetensors"):
            AAMModelDirectoryFormat(folder, mode="r").validate("max")

    def test_a_model_is_an_artifact_and_its_report_a_visualization(self):
        model = Artifact.import_data("AAMModel[Predictor]", model_folder(safetensors()))
        (visualization,) = plugin.visualizers.report(model)
        self.assertIn("html", visualization.get_index_paths())


class Page(unittest.TestCase):
    def test_figures_and_files_are_shown_and_names_are_escaped(self):
        page = actions.evaluation_page({"figures": {"<r2>": 0.5, "note": "x"}, "n": 3}, ["a.png", "metrics.json", "b.svg"])
        self.assertIn("<td>&lt;r2&gt;</td><td>0.5</td>", page)
        self.assertIn("src='a.png'", page)
        self.assertIn("href='metrics.json'", page)
        self.assertNotIn("b.svg", page)


@unittest.skipIf(aam is None, "no command `aam` here; name it in AAM")
class Distances(unittest.TestCase):
    def test_unifrac_is_scikit_bio_s(self):
        counts = numpy.array([[5, 0, 2], [1, 4, 0], [0, 3, 3], [0, 0, 1]])
        names = ["a", "b", "c", "d"]
        table = Artifact.import_data("FeatureTable[Frequency]", biom.Table(counts, names, ["S1", "S2", "S3"]))
        newick = "(((a:1,b:2):0.5,c:1.5):0.25,d:3);"
        folder = tempfile.mkdtemp()
        with open(os.path.join(folder, "tree.nwk"), "w") as file:
            file.write(newick)
        tree = Artifact.import_data("Phylogeny[Rooted]", os.path.join(folder, "tree.nwk"))
        (result,) = plugin.methods.unifrac(table, tree)
        found = result.view(skbio.DistanceMatrix)
        expected = skbio.diversity.beta_diversity(
            "unweighted_unifrac", counts.T, found.ids, taxa=names, tree=skbio.TreeNode.read([newick])
        )
        numpy.testing.assert_allclose(found.data, expected.data, atol=1e-6)


if __name__ == "__main__":
    unittest.main()
