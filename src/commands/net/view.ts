/** One view of `net`: what an option of it shows. net.ts runs the views whose options are given, in its own order, as crash does. */
import type { ParsedArguments } from "../arguments.ts";
import type { CommandSpec, Layout, OptionSpec, Session } from "../command.ts";
import type { SavedBytes } from "../saved-bytes.ts";

export interface NetView<Result extends object = object> extends Partial<Pick<CommandSpec, "synopsis" | "examples" | "differences">> {
  /** Options that choose this view; none for the interfaces, which is what `net` alone shows. */
  readonly options: readonly OptionSpec[];
  /** Options that change what it shows. */
  readonly modifiers?: readonly OptionSpec[];
  readonly description?: readonly string[];
  /** Members of the results of several views must differ in name: JSON joins them. `save` is what a face writes to a file. */
  run(session: Session, args: ParsedArguments): Result & { readonly save?: SavedBytes };
  text(result: Result, layout: Layout): Iterable<string>;
}

/** Types a view: infers Result for its text(). */
export function defineNetView<Result extends object>(view: NetView<Result>): NetView {
  return view as unknown as NetView;
}
