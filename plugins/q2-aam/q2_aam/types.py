"""The semantic type of a trained model and its format."""

import json

from qiime2.plugin import SemanticType, TextFileFormat, ValidationError, model

AAMModel = SemanticType("AAMModel", field_names="kind")
Encoder = SemanticType("Encoder", variant_of=AAMModel.field["kind"])
Predictor = SemanticType("Predictor", variant_of=AAMModel.field["kind"])


class JSONFile(TextFileFormat):
    def _validate_(self, level):
        with self.open() as file:
            try:
                json.load(file)
            except ValueError as error:
                raise ValidationError(f"{self} is no JSON: {error}") from error


class PlainText(TextFileFormat):
    def _validate_(self, level):
        pass


class SafetensorsFile(model.BinaryFileFormat):
    """A length of 8 bytes, then so many bytes of JSON, then the tensors."""

    def _validate_(self, level):
        with self.open() as file:
            length = int.from_bytes(file.read(8), "little")
            header = file.read(length) if 0 < length < 100_000_000 else b""
        try:
            json.loads(header)
        except ValueError as error:
            raise ValidationError(f"{self} is no safetensors file.") from error


class AAMModelDirectoryFormat(model.DirectoryFormat):
    """The part of a run's folder that the run is used by."""

    run = model.File("run.json", format=JSONFile)
    config = model.File("config.json", format=JSONFile)
    summary = model.File("summary.json", format=JSONFile)
    history = model.File("history.json", format=JSONFile)
    train_ids = model.File("train_sample_ids.txt", format=PlainText)
    val_ids = model.File("val_sample_ids.txt", format=PlainText)
    checkpoint = model.File("checkpoints/best.safetensors", format=SafetensorsFile)
    report = model.File("report.html", format=PlainText)
