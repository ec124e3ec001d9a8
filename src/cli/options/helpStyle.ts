import type { Command, Option } from "commander";

/** An option's text in the help: choices and default as the options that come from a schema have them. */
function describeOption({ description, argChoices, defaultValue, negate }: Option): string {
  const isNothing = defaultValue === undefined || defaultValue === false || String(defaultValue) === "";
  const isTold = negate || isNothing;
  const notes = [
    ...(argChoices ? [argChoices.join(", ")] : []),
    ...(isTold ? [] : [`default ${defaultValue}`]),
  ];
  return notes.length > 0 ? `${description} (${notes.join("; ")})` : description;
}

/** Gives a command's help the form that all of them have. */
export function styleHelp(command: Command): Command {
  // Descriptions are wrapped beside long options too, down to this width.
  return command.configureHelp({ optionDescription: describeOption, minWidthToWrap: 25 });
}
