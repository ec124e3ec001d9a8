"""Command lines are built and run as they should; QIIME 2 is not needed."""

import os
import stat
import sys
import tempfile
import unittest
from unittest import mock

from q2_aam import command


class Arguments(unittest.TestCase):
    def test_options_become_words(self):
        words = command.arguments("unifrac", table="t.biom", rarefy_depth=1000, metric="unweighted", output="d.tsv")
        self.assertEqual(
            words,
            ["unifrac", "--table", "t.biom", "--rarefy-depth", "1000", "--metric", "unweighted", "--output", "d.tsv"],
        )

    def test_none_and_false_are_left_out_and_true_stands_alone(self):
        words = command.arguments("train", rarefy_depth=None, freeze_base=True, classifier=False, seed=0)
        self.assertEqual(words, ["train", "--freeze-base", "--seed", "0"])


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()

    def script(self, text):
        """A program that does what a failing or succeeding `aam` does with its streams and its exit code."""
        path = os.path.join(self.folder, "aam")
        with open(path, "w") as file:
            file.write(f"#!{sys.executable}\n{text}")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return mock.patch.dict(os.environ, {"AAM": path})

    def test_a_missing_program_is_named_with_the_cure(self):
        with mock.patch.dict(os.environ, {"AAM": os.path.join(self.folder, "absent")}):
            with self.assertRaisesRegex(RuntimeError, "absent' is not there; install"):
                command.program()

    def test_a_failure_is_an_error_with_its_last_lines(self):
        with self.script("import sys\nprint('Reading')\nprint('Error: no such table', file=sys.stderr)\nsys.exit(1)\n"):
            with self.assertRaisesRegex(RuntimeError, "Reading\nError: no such table"):
                command.run(["unifrac"], self.folder)

    def test_words_with_blanks_stay_one_and_the_folder_is_that_of_the_run(self):
        with self.script("import os, sys\nopen('said', 'w').write('|'.join(sys.argv[1:]))\n"):
            command.run(["train", "--metadata-column", "body site"], self.folder)
        with open(os.path.join(self.folder, "said")) as file:
            self.assertEqual(file.read(), "train|--metadata-column|body site")


class KeepRun(unittest.TestCase):
    def test_what_a_model_needs_is_copied_and_nothing_else(self):
        source, target = tempfile.mkdtemp(), tempfile.mkdtemp()
        os.makedirs(os.path.join(source, "checkpoints"))
        names = [*command.RUN_FILES, command.REPORT, command.CHECKPOINT, os.path.join("checkpoints", "last.safetensors")]
        for name in names:
            with open(os.path.join(source, name), "w") as file:
                file.write(name)
        command.keep_run(source, target)
        self.assertFalse(os.path.exists(os.path.join(target, "checkpoints", "last.safetensors")))
        with open(os.path.join(target, command.CHECKPOINT)) as file:
            self.assertEqual(file.read(), command.CHECKPOINT)

    def test_a_run_without_a_file_is_an_error(self):
        with self.assertRaises(FileNotFoundError):
            command.keep_run(tempfile.mkdtemp(), tempfile.mkdtemp())


if __name__ == "__main__":
    unittest.main()
