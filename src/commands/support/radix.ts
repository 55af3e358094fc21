/** `-x` and `-d`: the radix of one command's output. */
import { UsageError } from "../../bytes/errors.ts";
import type { ParsedArguments } from "../arguments.ts";

/** The radix that was asked for; undefined when neither was. */
export function chosenRadix(args: Pick<ParsedArguments, "has">): 10 | 16 | undefined {
  if (args.has("-x") && args.has("-d")) throw new UsageError("-x and -d exclude each other");
  return args.has("-x") ? 16 : args.has("-d") ? 10 : undefined;
}
