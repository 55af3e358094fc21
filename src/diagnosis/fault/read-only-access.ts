/**
 * A write that the page refuses although it is there: constants and the text of literals are mapped read-only (CONFIG_STRICT_KERNEL_RWX,
 * CONFIG_STRICT_MODULE_RWX). The pointer is none that something damaged: it is what the code meant.
 */
import { hex16 } from "../../bytes/address.ts";
import { briefText } from "../../identity/describe.ts";
import type { AddressIdentity } from "../../linux/address-identity.ts";
import { textAt } from "../checks/warn-format.ts";
import type { Check } from "../verdict.ts";
import type { FaultCase } from "./fault-case.ts";
import { tryIdentify } from "./try-identify.ts";

export interface ReadOnlyAccess {
  /** "read-only: module cfg .rodata.str1.1+0xe, "=1500"". */
  readonly text: string;
  readonly checks: readonly Check[];
  readonly story: readonly string[];
}

/** Letters of a constant that are told. */
const MAX_SHOWN = 32;
/** Sections that are written at most while they are loaded. */
const CONSTANT = /rodata|ro_after_init|^\.text|\btext\b|^__(?:ex_table|bug_table|param|ksymtab\w*|kcrctab\w*)$/;

/** undefined when the page is not there, or nothing tells why it does not allow the access. */
export function readOnlyAccess({ kernel, path, access, state }: FaultCase): ReadOnlyAccess | undefined {
  if (access.kind !== "memory" || state.exception?.present !== true || path?.access.kind !== "write") return undefined;
  const { address } = access;
  if (!kernel.arch.isKernelAddress(address)) return undefined;
  const identity = tryIdentify(kernel, address);
  const section = identity === undefined ? undefined : sectionOf(identity);
  if (identity === undefined || section === undefined || !CONSTANT.test(section)) return undefined;
  const isCode = /text/.test(section);
  const quoted = isCode ? undefined : textAt(kernel, address, 2)?.slice(0, MAX_SHOWN).replaceAll("\n", ".");
  const what = `${briefText(identity) ?? section}${quoted === undefined ? "" : `, "${quoted}"`}`;
  return {
    text: `read-only: ${what}`,
    checks: [{ what: `${hex16(address)} is in ${section}, which is mapped read-only`, result: "held" }],
    story: [
      isCode
        ? `What lies there is code, ${what}, and mapped read-only: only the kernel's own patching writes there, through another mapping.`
        : `What lies there is constant, ${what}: such memory is mapped read-only. The code writes to what was declared const, or to the text of a literal; a copy of it may be written.`,
    ],
  };
}

function sectionOf({ roles, region, regionName }: AddressIdentity): string | undefined {
  for (const role of roles) {
    if (role.kind === "module") return role.section;
    if (role.kind === "symbol" && role.section !== undefined) return role.section;
  }
  return region === "kernel image" ? regionName : undefined;
}
