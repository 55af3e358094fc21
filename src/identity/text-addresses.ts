/**
 * Addresses in text and what they are: the registers of an oops, pointers that a driver printed. A word counts when it is written as the
 * kernel writes pointers (16 hexadecimal digits, 0x or not) and is something that the dump knows.
 *
 *   RDX: 0000000000000063 RSI: ffffffffc0296082 RDI: ff3589d602365018        ─►  RSI …, RDI …
 */
import type { Kernel } from "../kernel/kernel.ts";
import type { AddressIdentity } from "../linux/address-identity.ts";
import { identifyAddress } from "./identify.ts";

export interface TextAddress {
  /** What stands before it: "RDI", "x19", "list". */
  readonly label?: string;
  readonly identity: AddressIdentity;
}

/** The addresses of a line that are anything, in their order, each once. */
export function textAddresses(kernel: Kernel, text: string): TextAddress[] {
  const found = new Map<bigint, TextAddress>();
  for (const match of text.matchAll(/(?<![\w.])(?:0x)?([0-9a-f]{16})(?![\w.])/gi)) {
    const address = BigInt(`0x${match[1]}`);
    if (found.has(address)) continue;
    const identity = identifyAddress(kernel, address);
    const [role] = identity.roles;
    // All ones are no pointer; a frame of which nothing else is known says nothing of a number.
    if (role === undefined || (role.kind === "error pointer" && role.errno === 1) || identity.region === "user") continue;
    if (role.kind === "page" && identity.region !== "linear map") continue;
    const label = /([A-Za-z_][\w.]*)\s*[:=]\s*(?:[0-9a-f]{4}:)?$/i.exec(text.slice(0, match.index))?.[1] ?? before(text, match.index);
    found.set(address, label === undefined ? { identity } : { label, identity });
  }
  return [...found.values()];
}

/** The word right before an address: "x19 : ffff…", "list ffff…". */
function before(text: string, at: number): string | undefined {
  return /([A-Za-z_]\w*)\s*:?\s*$/.exec(text.slice(0, at))?.[1];
}
