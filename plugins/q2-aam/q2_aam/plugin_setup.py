"""Registers types and actions with QIIME 2."""

from q2_types.distance_matrix import DistanceMatrix
from q2_types.feature_data import FeatureData, Sequence
from q2_types.feature_table import FeatureTable, Frequency
from q2_types.metadata import ImmutableMetadata
from q2_types.tree import Phylogeny, Rooted
from qiime2.plugin import (
    Bool,
    Categorical,
    Choices,
    Citations,
    Float,
    Int,
    Metadata,
    MetadataColumn,
    Numeric,
    Plugin,
    Range,
    Str,
)

from . import __version__, actions
from .types import AAMModel, AAMModelDirectoryFormat, Encoder, JSONFile, PlainText, Predictor, SafetensorsFile

citations = Citations.load("citations.bib", package="q2_aam")

plugin = Plugin(
    name="aam",
    version=__version__,
    website="docs/qiime2.md in the sources of aam-bun",
    package="q2_aam",
    description="UniFrac, encoders whose distances are UniFrac, and predictors of metadata, computed by the command aam.",
    user_support_text="Each error ends with what `aam` said; --verbose shows all of it.",
    short_description="Deep learning on amplicon sequence variants.",
    citations=[citations["aam"]],
)

plugin.register_semantic_types(AAMModel, Encoder, Predictor)
plugin.register_formats(AAMModelDirectoryFormat, JSONFile, PlainText, SafetensorsFile)
plugin.register_semantic_type_to_format(AAMModel[Encoder | Predictor], AAMModelDirectoryFormat)

metrics = Choices("unweighted", "weighted_normalized", "weighted_unnormalized", "generalized")
data = {"table": FeatureTable[Frequency], "sequences": FeatureData[Sequence]}
described = {
    "table": "Counts of ASVs by sample.",
    "sequences": "The ASVs' sequences, where their ids are hashes.",
    "phylogeny": "Rooted tree whose tips are the ASVs.",
    "model": "The trained model.",
    "pretrained_encoder": "Encoder to start from.",
}
rarefaction = "Counts to draw of each sample: a number, auto or none."
trained = {
    "max_minutes": "Stop training after so many minutes.",
    "seed": "Decides weights, order, rarefaction and which samples are held out.",
    "rarefy_depth": rarefaction,
}
minutes = Float % Range(0, None, inclusive_start=False)
seed = Int % Range(0, None)


def inputs_of(*names):
    kinds = {**data, "phylogeny": Phylogeny[Rooted]}
    return {name: kinds[name] for name in names}


def descriptions_of(*names):
    return {name: described[name] for name in names}


plugin.methods.register_function(
    function=actions.unifrac,
    inputs=inputs_of("table", "phylogeny", "sequences"),
    parameters={"metric": Str % metrics, "rarefy_depth": Int % Range(1, None), "seed": seed},
    outputs=[("distance_matrix", DistanceMatrix)],
    input_descriptions=descriptions_of("table", "phylogeny", "sequences"),
    parameter_descriptions={
        "metric": "Which UniFrac.",
        "rarefy_depth": "Counts to draw of each sample first; samples with fewer are left out.",
        "seed": "Decides the rarefaction.",
    },
    output_descriptions={"distance_matrix": "Distances between all samples."},
    name="UniFrac distances",
    description="Computes UniFrac distances between all samples.",
    citations=[citations["unifrac"]],
)

plugin.methods.register_function(
    function=actions.pretrain,
    inputs=inputs_of("table", "phylogeny", "sequences"),
    parameters={
        "metric": Str % metrics,
        "encoder": Str % Choices("set", "aam"),
        "rarefy_depth": Str,
        "max_minutes": minutes,
        "max_steps": Int % Range(1, None),
        "seed": seed,
    },
    outputs=[("model", AAMModel[Encoder])],
    input_descriptions=descriptions_of("table", "phylogeny", "sequences"),
    parameter_descriptions={
        **trained,
        "metric": "The UniFrac that the encoder's distances are to match.",
        "encoder": "Samples as sets of words of bases (set), or the transformers of the original AAM.",
        "max_steps": "Stop training after so many steps.",
    },
    output_descriptions={"model": "The encoder, with figures on samples that it has not seen."},
    name="Train an encoder",
    description="Trains an encoder whose distances between samples match UniFrac.",
)

plugin.methods.register_function(
    function=actions.fit,
    inputs={**inputs_of("table", "sequences"), "pretrained_encoder": AAMModel[Encoder]},
    parameters={
        "metadata": MetadataColumn[Numeric | Categorical],
        "freeze_base": Bool,
        "rarefy_depth": Str,
        "max_minutes": minutes,
        "seed": seed,
    },
    outputs=[("model", AAMModel[Predictor])],
    input_descriptions=descriptions_of("table", "sequences", "pretrained_encoder"),
    parameter_descriptions={
        **trained,
        "metadata": "What to predict: numbers, or categories.",
        "freeze_base": "Leave a pretrained encoder as it is, and train the predictor alone.",
        "rarefy_depth": rarefaction + " With a pretrained encoder it is the encoder's.",
    },
    output_descriptions={"model": "The predictor, with figures on samples that it has not seen."},
    name="Train a predictor of metadata",
    description="Trains a model that predicts a metadata column, on a pretrained encoder or from scratch.",
)

plugin.methods.register_function(
    function=actions.predict,
    inputs={**inputs_of("table", "sequences"), "model": AAMModel[Predictor]},
    parameters={"rarefy_depth": Str},
    outputs=[("predictions", ImmutableMetadata)],
    input_descriptions=descriptions_of("table", "sequences", "model"),
    parameter_descriptions={"rarefy_depth": rarefaction + " By default as in training."},
    output_descriptions={"predictions": "Predicted values, and of classes their probabilities, as metadata."},
    name="Predict metadata",
    description="Predicts the metadata column that a model was trained on.",
)

plugin.visualizers.register_function(
    function=actions.evaluate,
    inputs={**inputs_of("table", "sequences", "phylogeny"), "model": AAMModel[Encoder | Predictor]},
    parameters={"metadata": Metadata, "rarefy_depth": Str},
    input_descriptions=descriptions_of("table", "sequences", "phylogeny", "model"),
    parameter_descriptions={
        "metadata": "True values, for a predictor.",
        "rarefy_depth": rarefaction + " By default as in training.",
    },
    name="Judge a model",
    description="Judges a model on samples whose metadata (predictors) or tree (encoders) are known.",
)

plugin.visualizers.register_function(
    function=actions.report,
    inputs={"model": AAMModel[Encoder | Predictor]},
    parameters={},
    input_descriptions=descriptions_of("model"),
    parameter_descriptions={},
    name="Report of a training",
    description="What the training came to on held-out samples, beside simple predictors.",
)
