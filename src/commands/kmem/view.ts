/**
 * One view of `kmem`: what an option of it shows. kmem.ts chooses the view by the options given; each view is a file here with its part
 * of the help page, data and layout of its own, so that they share nothing but the command's name.
 */
import type { ParsedArguments } from "../arguments.ts";
import type { CommandSpec, Layout, OptionSpec, Session } from "../command.ts";

export interface KmemView<Result = unknown> extends Partial<Pick<CommandSpec, "synopsis" | "examples" | "differences">> {
  /** Options that choose this view: "-i", or several with one layout: "-f", "-F". None: the look-up of addresses, `kmem ADDRESS`. */
  readonly options: readonly OptionSpec[];
  /** Options that change what it shows but do not choose it: "-I". Those that several views know (-P) stand in kmem.ts. */
  readonly modifiers?: readonly OptionSpec[];
  /** Paragraphs of the help page. */
  readonly description?: readonly string[];
  run(session: Session, args: ParsedArguments): Result;
  text(result: Result, layout: Layout): Iterable<string>;
  /** As Command.api. */
  api?(session: Session, args: ParsedArguments): string | undefined;
}

/** Types a view: infers Result for its text(). */
export function defineView<Result>(view: KmemView<Result>): KmemView<Result> {
  return view;
}
