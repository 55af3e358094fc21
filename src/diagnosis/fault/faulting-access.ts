/**
 * What the fault was: which of the instruction's operands made it, or that it was no operand at all. Procedure P1 of the reference on
 * diagnosis.
 *
 *   mov %eax,0x8(%rbx)     rbx = 0                 write of 4 bytes at 0x8            ◄ holds the fault address 0x8
 *   call *%rax, blr x1     the target is 0: not the instruction faulted but the fetch of what it led to (bad-fetch.ts)
 *   ud2, brk               the instruction traps by itself
 *
 * x86-64 general protection has no address: it is the operand that is not canonical. No operand that fits means that these are not the
 * registers of the fault, or that the kernel emulated something: then nothing is guessed.
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import { hex16, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Activation } from "./activation.ts";
import { isCanonical, untagged } from "./address-form.ts";
import { fetch, throughOf } from "./bad-fetch.ts";
import type { FaultState, StateCheck } from "./cpu-state.ts";
import { instructionAt } from "./instruction-at.ts";
import { type TouchedMemory, touched } from "./operands.ts";

export type FaultingAccess =
  | {
      readonly kind: "memory";
      readonly instruction: DecodedInstruction;
      readonly all: readonly TouchedMemory[];
      readonly culprit: TouchedMemory;
      /** The fault address: told by the CPU, or of the operand. */
      readonly address: bigint;
      /** What faulted was KASAN's look at this shadow of the address, before the access. */
      readonly shadow?: bigint;
      readonly checks: readonly StateCheck[];
    }
  /** The CPU was led to where no code is: by `call`, the instruction before the return address. */
  | {
      readonly kind: "fetch";
      readonly target: bigint;
      readonly call: DecodedInstruction | undefined;
      /** Where the call took its target from; absent for a direct call, or a return. */
      readonly through?: TouchedMemory | { readonly register: string; readonly value: bigint };
      /** Not a call but a return, to an address that was no return address. */
      readonly returned?: true;
      readonly checks: readonly StateCheck[];
    }
  /** BUG(), a failed check: the instruction traps by itself. */
  | { readonly kind: "trap"; readonly instruction: DecodedInstruction; readonly checks: readonly StateCheck[] }
  | { readonly kind: "unknown"; readonly reason: string; readonly all: readonly TouchedMemory[]; readonly checks: readonly StateCheck[] };

const unknown = (reason: string, all: readonly TouchedMemory[] = [], checks: readonly StateCheck[] = []): FaultingAccess => ({
  kind: "unknown",
  reason,
  all,
  checks,
});

/** What the fault was, from the state of the CPU. @param cpu for per-CPU addresses */
export function faultingAccess(
  kernel: Kernel,
  state: FaultState,
  fault: Activation,
  caller: Activation | undefined,
  cpu: number | undefined,
): FaultingAccess {
  const { pc, address, exception, kind } = state;
  if (!state.consistent) {
    const against = state.checks.filter(({ agrees }) => !agrees).map(({ what }) => what);
    return unknown(`the registers are not certainly those of the fault: ${against.join("; ")}`);
  }
  const isFetch = exception?.access === "execute" || (kind === "page fault" && address === pc) || !kernel.arch.isKernelAddress(pc);
  if (isFetch) return fetch(kernel, state, caller);
  const instruction = instructionAt(kernel, pc);
  if (instruction === undefined) return unknown(`the instruction at ${hex16(pc)} is not in the dump`);
  if (instruction.flow === "trap" || kind === "invalid opcode") return { kind: "trap", instruction, checks: [] };
  const all = touched(kernel, instruction, fault.registers, cpu);
  if (kind === "general protection") return nonCanonical(kernel, state, instruction, all, fault);
  if (address === undefined) return withoutAddress(kernel, state, instruction, all);
  const culprit = all.find((each) => holds(kernel, each, address));
  if (culprit === undefined) {
    const told = all.map((each) => `${each.text} = ${each.address === undefined ? "?" : hex16(each.address)}`).join(", ");
    return unknown(`no operand of ${instruction.mnemonic} holds the fault address ${hex16(address)}${told === "" ? "" : `: ${told}`}`, all);
  }
  const checks: StateCheck[] = [
    { what: `${culprit.text} is ${hex16(culprit.address ?? 0n)}, which holds the fault address ${hex16(address)}`, agrees: true },
  ];
  const wanted = exception?.access;
  if (wanted === "read" || wanted === "write") {
    const agrees = culprit.access === "readwrite" || culprit.access === wanted;
    checks.push({ what: `the error code says ${wanted}, the operand is for ${culprit.access}`, agrees });
    if (!agrees)
      return unknown(`the error code says ${wanted}, but ${instruction.mnemonic} uses ${culprit.text} for ${culprit.access}`, all, checks);
  }
  return { kind: "memory", instruction, all, culprit, address, checks };
}

function holds(kernel: Kernel, { address, size, reach }: TouchedMemory, fault: bigint): boolean {
  if (address === undefined) return false;
  const at = BigInt.asUintN(64, untagged(kernel, fault) - untagged(kernel, address));
  return at < BigInt(Math.max(size, reach, 1));
}

function nonCanonical(
  kernel: Kernel,
  { address }: FaultState,
  instruction: DecodedInstruction,
  all: readonly TouchedMemory[],
  fault: Activation,
): FaultingAccess {
  const bad = all.filter((each) => each.address !== undefined && !isCanonical(kernel, each.address));
  const culprit = bad.find((each) => each.address === address) ?? bad[0];
  if (culprit?.address !== undefined) {
    const checks: StateCheck[] = [{ what: `${culprit.text} is ${hex16(culprit.address)}, which is not canonical`, agrees: true }];
    // Until 5.11 the kernel left the displacement out (get_kernel_gp_address() of arch/x86/kernel/traps.c did not decode it).
    const plain = BigInt.asUintN(64, culprit.address - culprit.displacement);
    if (address !== undefined)
      checks.push({ what: `the kernel took ${hex16(address)} for the address`, agrees: address === culprit.address || address === plain });
    return { kind: "memory", instruction, all, culprit, address: culprit.address, checks };
  }
  if (instruction.flow === "return") {
    const sp = fault.registers.get("rsp");
    const target = sp === undefined ? undefined : kernel.memory.tryU64(virtual(sp));
    if (target !== undefined && !isCanonical(kernel, target)) {
      const checks: StateCheck[] = [{ what: `the return address ${hex16(target)} is not canonical`, agrees: true }];
      return { kind: "fetch", target, call: instruction, returned: true, checks };
    }
  }
  // A jump to an address that is not canonical faults where it starts from.
  const through = throughOf(kernel, instruction, fault.registers);
  const target =
    through === undefined
      ? undefined
      : "value" in through
        ? through.value
        : through.address === undefined
          ? undefined
          : kernel.memory.tryU64(virtual(through.address));
  if (through !== undefined && target !== undefined && !isCanonical(kernel, target)) {
    return {
      kind: "fetch",
      target,
      call: instruction,
      through,
      checks: [{ what: `the target ${hex16(target)} is not canonical`, agrees: true }],
    };
  }
  return unknown(
    `all operands of ${instruction.mnemonic} are canonical: the protection fault has another cause (a segment, a machine register, an alignment)`,
    all,
  );
}

/** The log is gone: the only operand that cannot have worked is the culprit, or the one that the handler's frames still hold. */
function withoutAddress(
  kernel: Kernel,
  { stack, frame }: FaultState,
  instruction: DecodedInstruction,
  all: readonly TouchedMemory[],
): FaultingAccess {
  const bad = all.filter((each) => each.address !== undefined && !readable(kernel, each.address));
  const [culprit] = bad;
  if (culprit?.address === undefined)
    return unknown("the fault address is not known, and every operand of the instruction can be read", all);
  const { address } = culprit;
  const handler = (stack?.frames ?? []).slice(0, frame ?? 0);
  const witness = handler.find(({ registers }) => registers.file.calleeSaved.some((register) => registers.get(register) === address));
  const checks: StateCheck[] = [
    { what: `of ${all.length} operands only ${culprit.text} = ${hex16(address)} cannot be read`, agrees: bad.length === 1 },
  ];
  if (witness !== undefined)
    checks.push({ what: `${witness.function ?? hex16(witness.pc)}, which handled it, kept ${hex16(address)}`, agrees: true });
  if (bad.length > 1 && witness === undefined)
    return unknown("the fault address is not known, and several operands cannot be read", all, checks);
  return { kind: "memory", instruction, all, culprit, address, checks };
}

function readable(kernel: Kernel, address: bigint): boolean {
  return kernel.arch.isKernelAddress(address) && kernel.memory.tryBytes(virtual(address), 1) !== undefined;
}
