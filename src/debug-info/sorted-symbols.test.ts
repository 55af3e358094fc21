import { expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { SortedSymbols } from "./sorted-symbols.ts";

const PLACE = 0xffff_ffff_8100_0000n;

/** All at one address. */
class Names extends SortedSymbols {
  readonly #names: readonly string[];
  constructor(names: readonly string[]) {
    super(
      BigUint64Array.from(names, () => PLACE),
      undefined,
      PLACE + 64n,
    );
    this.#names = names;
  }
  protected nameAt(index: number): string {
    return this.#names[index] ?? "";
  }
  protected typeAt(): string {
    return "T";
  }
  protected sizeAt(): number | undefined {
    return undefined;
  }
  protected *find(name: string): Iterable<number> {
    for (const [index, each] of this.#names.entries()) if (each === name) yield index;
  }
  protected *startingWith(prefix: string): Iterable<number> {
    for (const [index, each] of this.#names.entries()) if (each.startsWith(prefix)) yield index;
  }
}

test("of several names at one address the plain one is shown, not its alias for early code", () => {
  const shown = (...names: string[]) => new Names(names).byAddress(virtual(PLACE + 8n))?.symbol.name;
  expect(shown("__pi___x86_indirect_thunk_rbx", "__x86_indirect_thunk_rbx")).toBe("__x86_indirect_thunk_rbx");
  expect(shown("__kvm_nvhe_panic", "panic")).toBe("panic");
  expect(shown("__pfx_f", "__pi_f")).toBe("__pi_f");
  expect(shown("__pi_only_early")).toBe("__pi_only_early");
});
