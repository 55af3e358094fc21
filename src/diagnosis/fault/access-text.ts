/**
 * A fault's access and where its bad value came from, in the grammar of the house:
 *
 *   read of (struct tun_struct *)0->flags [+0x804] in tun_get_drvinfo+0x37 [tun]
 *   passed as inode by g+0x7; loaded from (struct file *)rbx->inode [+0x10] at ffff888000001010
 */
import { hex16 } from "../../bytes/address.ts";
import type { Activation } from "./activation.ts";
import type { FaultCase } from "./fault-case.ts";
import { valueText } from "./origin-step.ts";

/** "f+0x37 [module]" of an activation. */
export function activationText({ function: name, offset, module }: Activation): string {
  return `${name}+0x${offset.toString(16)}${module === undefined ? "" : ` [${module}]`}`;
}

/** The access in the grammar of the house: "read of (struct tun_struct *)0->flags [+0x804] in tun_get_drvinfo+0x37 [tun]". */
export function accessText(fault: FaultCase): string | undefined {
  const { access, bad, path, activations, guilty, guiltyLevel } = fault;
  if (path === undefined || bad === undefined) return undefined;
  const innermost = activations.at(0) as Activation;
  if (access.kind === "fetch") return `call of ${valueText(bad.value)} in ${activationText(guilty)}`;
  const base = valueText(path.object ?? bad.value);
  const typed =
    path.container !== undefined && path.member !== undefined
      ? `(${path.container} *)${base}->${path.member} [${signedHex(path.offset ?? bad.offset)}]`
      : isIndex(fault)
        ? hex16(path.address)
        : bad.offset === 0n
          ? base
          : `${base} ${signedHex(bad.offset)}`;
  const caller = guiltyLevel > 0 ? `, called by ${activationText(guilty)}` : "";
  return `${path.access.kind} of ${typed} in ${activationText(innermost)}${caller}`;
}

/** The bad value is an index: it is added to a register, or to an address in the instruction. */
export function isIndex({ access, bad, kernel }: FaultCase): boolean {
  if (access.kind !== "memory" || bad?.register === undefined) return false;
  const { base, index, displacement } = access.culprit;
  if (index !== undefined && index.register === bad.register) return base !== undefined || displacement !== 0n;
  return kernel.arch.isKernelAddress(BigInt.asUintN(64, displacement)) && -displacement > MAX_BACK;
}

/** Bytes that a structure may lie before the member that a pointer leads to. */
const MAX_BACK = 1n << 24n;

function signedHex(offset: bigint): string {
  return offset < 0n ? `-0x${(-offset).toString(16)}` : `+0x${offset.toString(16)}`;
}

/** Where the bad value came from, in the grammar of the house; undefined when nothing is known of it. */
export function originText({ bad }: Pick<FaultCase, "bad">): string | undefined {
  const steps = bad?.origin?.steps ?? [];
  const told = steps.filter(({ kind }) => kind !== "lost").map(({ text }) => text);
  return told.length === 0 ? undefined : told.join("; ");
}
