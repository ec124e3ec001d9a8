"""The plugin's actions: each writes a command line, runs it and hands over what came of it."""

import html
import json
import os
import shutil
import tempfile

import qiime2
from q2_types.distance_matrix import LSMatFormat
from q2_types.feature_data import DNASequencesDirectoryFormat
from q2_types.feature_table import BIOMV210DirFmt
from q2_types.metadata import ImmutableMetadataFormat
from q2_types.tree import NewickDirectoryFormat

from .command import REPORT, arguments, keep_run, run
from .types import AAMModelDirectoryFormat


def _inputs(table=None, phylogeny=None, sequences=None):
    """Options that name the files of artifacts."""
    files = {}
    if table is not None:
        files["table"] = os.path.join(str(table), "feature-table.biom")
    if phylogeny is not None:
        files["tree"] = os.path.join(str(phylogeny), "tree.nwk")
    if sequences is not None:
        files["rep_seqs"] = os.path.join(str(sequences), "dna-sequences.fasta")
    return files


def unifrac(
    table: BIOMV210DirFmt,
    phylogeny: NewickDirectoryFormat,
    sequences: DNASequencesDirectoryFormat = None,
    metric: str = "unweighted",
    rarefy_depth: int = None,
    seed: int = 0,
) -> LSMatFormat:
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "distances.tsv")
        files = _inputs(table, phylogeny, sequences)
        run(
            arguments("unifrac", **files, metric=metric, rarefy_depth=rarefy_depth, seed=seed, output=output),
            folder,
        )
        result = LSMatFormat()
        shutil.copyfile(output, str(result))
    return result


def pretrain(
    table: BIOMV210DirFmt,
    phylogeny: NewickDirectoryFormat,
    sequences: DNASequencesDirectoryFormat = None,
    metric: str = "unweighted",
    encoder: str = "set",
    rarefy_depth: str = "auto",
    max_minutes: float = None,
    max_steps: int = None,
    seed: int = 0,
) -> AAMModelDirectoryFormat:
    files = _inputs(table, phylogeny, sequences)
    options = dict(unifrac_metric=metric, encoder=encoder, rarefy_depth=rarefy_depth)
    return _trained("pretrain", seed=seed, max_minutes=max_minutes, max_steps=max_steps, **files, **options)


def fit(
    table: BIOMV210DirFmt,
    metadata: qiime2.MetadataColumn,
    sequences: DNASequencesDirectoryFormat = None,
    pretrained_encoder: AAMModelDirectoryFormat = None,
    freeze_base: bool = True,
    rarefy_depth: str = "auto",
    max_minutes: float = None,
    seed: int = 0,
) -> AAMModelDirectoryFormat:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "metadata.tsv")
        metadata.save(path)
        options = dict(metadata=path, metadata_column=metadata.name)
        # A column of numbers may be declared to be categorical.
        options["classifier" if metadata.type == "categorical" else "no_classifier"] = True
        if pretrained_encoder is not None:
            # Its rarefaction is the encoder's.
            options.update(pretrained_encoder=str(pretrained_encoder), freeze_base=freeze_base)
        else:
            options.update(rarefy_depth=rarefy_depth)
        return _trained("train", seed=seed, max_minutes=max_minutes, **_inputs(table, None, sequences), **options)


def _trained(name, **options):
    """Trains, writes the report while the data are there, and keeps what the model needs."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "run")
        run(arguments(name, **options, output=output), folder)
        run(arguments("report") + [output, "--output", os.path.join(output, REPORT)], folder)
        result = AAMModelDirectoryFormat()
        keep_run(output, str(result))
    return result


def predict(
    model: AAMModelDirectoryFormat,
    table: BIOMV210DirFmt,
    sequences: DNASequencesDirectoryFormat = None,
    rarefy_depth: str = None,
) -> ImmutableMetadataFormat:
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "predictions.tsv")
        files = _inputs(table, None, sequences)
        run(arguments("predict", model=str(model), **files, rarefy_depth=rarefy_depth, output=output), folder)
        result = ImmutableMetadataFormat()
        with open(output) as lines, open(str(result), "w") as kept:
            # QIIME 2's name for the column of ids.
            kept.write(lines.read().replace("sample_id", "sample-id", 1))
    return result


def evaluate(
    output_dir: str,
    model: AAMModelDirectoryFormat,
    table: BIOMV210DirFmt,
    sequences: DNASequencesDirectoryFormat = None,
    phylogeny: NewickDirectoryFormat = None,
    metadata: qiime2.Metadata = None,
    rarefy_depth: str = None,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        options = _inputs(table, phylogeny, sequences)
        if metadata is not None:
            options["metadata"] = os.path.join(folder, "metadata.tsv")
            metadata.save(options["metadata"])
        output = os.path.join(folder, "evaluation")
        run(arguments("evaluate", model=str(model), **options, rarefy_depth=rarefy_depth, output=output), folder)
        shutil.copytree(output, output_dir, dirs_exist_ok=True)
    with open(os.path.join(output_dir, "metrics.json")) as file:
        metrics = json.load(file)
    with open(os.path.join(output_dir, "index.html"), "w") as page:
        page.write(evaluation_page(metrics, sorted(os.listdir(output_dir))))


def evaluation_page(metrics, names):
    """The figures as tables, the plots as pictures, and the files to take along."""
    parts = ["<!doctype html><html lang='en'><meta charset='utf-8'><title>Evaluation</title><h1>Evaluation</h1>"]
    for part, figures in metrics.items():
        if not isinstance(figures, dict):
            continue
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{value:.6g}</td></tr>"
            for name, value in figures.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        )
        parts.append(f"<h2>{html.escape(part)}</h2><table>{rows}</table>")
    pictures = [name for name in names if name.endswith(".png")]
    parts += [f"<p><img src='{html.escape(name)}' alt='{html.escape(name)}' width='640'></p>" for name in pictures]
    files = [name for name in names if name.endswith((".json", ".tsv"))]
    parts += [f"<p><a href='{html.escape(name)}'>{html.escape(name)}</a></p>" for name in files]
    return "".join(parts) + "</html>\n"


def report(output_dir: str, model: AAMModelDirectoryFormat) -> None:
    shutil.copyfile(os.path.join(str(model), REPORT), os.path.join(output_dir, "index.html"))
