import { createHash, randomUUID } from "node:crypto";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { zipBytes } from "../zip/write.ts";
import { type Action, currentAction } from "./action.ts";
import { type Member, provenanceMembers, textMember } from "./provenance.ts";

/** The semantic types that are written, each with its directory format and the one file that this holds. */
const layouts = {
  DistanceMatrix: ["DistanceMatrixDirectoryFormat", "distance-matrix.tsv"],
  PCoAResults: ["OrdinationDirectoryFormat", "ordination.txt"],
  "SampleData[AlphaDiversity]": ["AlphaDiversityDirectoryFormat", "alpha-diversity.tsv"],
  "FeatureTable[Frequency]": ["BIOMV210DirFmt", "feature-table.biom"],
  "FeatureTable[RelativeFrequency]": ["BIOMV210DirFmt", "feature-table.biom"],
  "FeatureTable[PresenceAbsence]": ["BIOMV210DirFmt", "feature-table.biom"],
  "FeatureData[Importance]": ["ImportanceDirectoryFormat", "importance.tsv"],
  "SampleData[RegressorPredictions]": ["PredictionsDirectoryFormat", "predictions.tsv"],
  "SampleData[ClassifierPredictions]": ["PredictionsDirectoryFormat", "predictions.tsv"],
  "SampleData[Probabilities]": ["ProbabilitiesDirectoryFormat", "class_probabilities.tsv"],
  Visualization: ["null", "index.html"],
} as const;

export type ArtifactType = keyof typeof layouts;

/** The archive format that is written, and a release of QIIME 2 that writes the same; later ones read it. */
const versionText = "QIIME 2\narchive: 5\nframework: 2020.8.0\n";

/**
 * Writes a QIIME 2 artifact (`.qza`) or visualization (`.qzv`), archive format 5, atomically and in one
 * pass: the content, checksums of all files, and the provenance: this program's action (`action` or, if not
 * given, the command that runs) and that of the input artifacts. The same content gives the same bytes but
 * for the UUIDs and times.
 * @param content of the type's one file, asked for once: text or parts of bytes.
 * @returns the artifact's UUID
 * @throws UserError if the file cannot be written or an input cannot be read
 * @example writeArtifact("pd.qza", "SampleData[AlphaDiversity]", "\tfaith_pd\nS1\t2.5\n")
 */
export function writeArtifact(
  path: string,
  type: ArtifactType,
  content: string | (() => Iterable<Uint8Array>),
  action: Action = currentAction(),
): string {
  const uuid = randomUUID();
  const [format, file] = layouts[type];
  const metadata = `uuid: ${uuid}\ntype: ${type}\nformat: ${format}\n`;
  const name = `data/${file}`;
  const members = [
    textMember("VERSION", versionText),
    textMember("metadata.yaml", metadata),
    typeof content === "string" ? textMember(name, content) : { name, parts: content },
    textMember("provenance/VERSION", versionText),
    textMember("provenance/metadata.yaml", metadata),
    ...provenanceMembers(action, path),
  ];
  writeFileAtomic(path, zipBytes(withChecksums(members, uuid)));
  return uuid;
}

/** The members below the root folder, and last their checksums, taken while they are written. */
function* withChecksums(members: readonly Member[], root: string): Generator<Member> {
  const lines: string[] = [];
  for (const { name, parts } of members) {
    const hash = createHash("md5");
    yield {
      name: `${root}/${name}`,
      *parts() {
        for (const part of parts()) {
          hash.update(part);
          yield part;
        }
      },
    };
    lines.push(`${hash.digest("hex")}  ${name}\n`);
  }
  yield textMember(`${root}/checksums.md5`, lines.join(""));
}
