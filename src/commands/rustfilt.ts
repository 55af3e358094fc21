/** `rustfilt`: the readable names of mangled Rust symbols. */
import { LookupError, UsageError } from "../bytes/errors.ts";
import { demangleRust } from "../debug-info/rust-names.ts";
import { defineCommand } from "./command.ts";

export interface RustfiltResult {
  readonly names: readonly { readonly symbol: string; readonly name: string | null }[];
}

export const rustfilt = defineCommand<RustfiltResult>({
  spec: {
    name: "rustfilt",
    summary: "demangle Rust symbols",
    synopsis: ["symbol…"],
    description: [
      "Shows the readable names of symbols that the Rust compiler mangled, in the v0 form (_R…) and in the legacy one (_ZN…E). Hashes are left out. log -R does the same for all names in the log.",
    ],
    options: [],
    operands: ["symbol", "text"],
    examples: [
      ["rustfilt _RNvNtCs1234_6kernel5print11call_printk", "kernel::print::call_printk"],
      ["rustfilt _ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic"],
    ],
    differences: ["Several symbols may be given."],
    minimal: true,
  },
  run(_session, { operands }) {
    if (operands.length === 0) throw new UsageError("usage: rustfilt symbol…");
    const names = operands.map((symbol) => ({ symbol, name: demangleRust(symbol) ?? null }));
    const [only] = names;
    if (names.length === 1 && only?.name === null) throw new LookupError(`not a Rust symbol: ${only.symbol}`);
    return { names };
  },
  *text({ names }) {
    for (const { symbol, name } of names) yield name ?? `${symbol} (not a Rust symbol)`;
  },
});
