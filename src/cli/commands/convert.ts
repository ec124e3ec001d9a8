import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { UserError } from "../../common/userError.ts";
import { parseYamlText } from "../../formats/yaml.ts";
import { convertFromReference, convertToReference } from "../../reference/convert/convert.ts";
import { nameList, wholeNumber } from "../options/optionValues.ts";

interface ConvertFlags {
  readonly input?: string;
  readonly output?: string;
  readonly config?: string;
  readonly heads?: number;
  readonly activation?: "gelu" | "gelu_tanh" | "relu";
  readonly targets?: string[];
  readonly classes?: string[];
  readonly bare: boolean;
}

const pytorchFile = /\.(pt|pth|ckpt|bin)$/i;

export function makeCommand(): Command {
  const fromHeading = "From the original AAM:";
  const option = (flags: string, text: string) => new Option(flags, text).helpGroup(fromHeading);
  return new Command("convert")
    .description("Convert a checkpoint of the original AAM (.pt) to one of this program, or back")
    .argument("[input]", "a .pt file, or a run or checkpoint of this program")
    .argument("[output]", "where to write: .safetensors from .pt, .pt from a run")
    .addOption(new Option("--input <file>", "instead of the first argument").hideHelp())
    .addOption(new Option("-o, --output <file>", "instead of the second argument").hideHelp())
    .addOption(option("--config <file>", "constructor arguments that the file does not hold (JSON or YAML)"))
    .addOption(
      option("--heads <n>", "attention heads, which cannot be told from the weights").argParser(wholeNumber),
    )
    .addOption(
      option("--activation <name>", "instead of the exact GELU").choices(["gelu", "gelu_tanh", "relu"]),
    )
    .addOption(option("--targets <names>", "names of the predicted columns").argParser(nameList))
    .addOption(option("--classes <names>", "names of the classes, in their order").argParser(nameList))
    .addOption(
      new Option("--bare", "write only the state dict").default(false).helpGroup("To the original AAM:"),
    )
    .action(run);
}

function run(first: string | undefined, second: string | undefined, flags: ConvertFlags): void {
  for (const [argument, option] of [
    [first, "input"],
    [second, "output"],
  ] as const) {
    if (argument !== undefined && flags[option] !== undefined)
      throw new UserError(
        `The ${option} is given twice, as ${argument} and with --${option}; leave one out.`,
      );
  }
  const input = first ?? flags.input;
  const output = second ?? flags.output;
  if (input === undefined || output === undefined) {
    throw new UserError("Give what to convert and where to write it: `convert model.pt model.safetensors`.");
  }
  const isReference = pytorchFile.test(input);
  if (isReference === pytorchFile.test(output)) {
    throw new UserError(
      isReference
        ? `${input} becomes a checkpoint of this program: let the output end with .safetensors.`
        : `${input} becomes a file of the original AAM: let the output end with .pt.`,
    );
  }
  refuseOptionsOfTheOtherWay(isReference, input, flags);
  const { heads, activation, targets, classes, bare } = flags;
  const { what, parameters, notes } = isReference
    ? convertFromReference(input, output, {
        config: flags.config === undefined ? undefined : readArguments(flags.config),
        heads,
        activation,
        targets,
        classes,
      })
    : convertToReference(input, output, { bare });
  for (const note of notes) console.log(note);
  console.log(`${output}: ${what}, ${parameters.toLocaleString("en-US")} parameters`);
}

function refuseOptionsOfTheOtherWay(isReference: boolean, input: string, flags: ConvertFlags): void {
  const useless = (
    isReference ? (["bare"] as const) : (["config", "heads", "activation", "targets", "classes"] as const)
  ).find((name) => flags[name] !== undefined && flags[name] !== false);
  if (useless === undefined) return;
  throw new UserError(
    `--${useless} has no effect on ${input}: it is for converting ${isReference ? "to" : "from"} the original AAM; leave it out.`,
  );
}

function readArguments(path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = parseYamlText(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new UserError(`Cannot read ${path}: ${cause instanceof Error ? cause.message : cause}.`);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new UserError(`${path} must hold the arguments by name, such as {"asv_num_heads": 8}.`);
  }
  return content as Record<string, unknown>;
}
