/**
 * Faults of KASAN's own inline checks (CONFIG_KASAN_INLINE): the code looks up the shadow byte of an address before it uses the address, and
 * the shadow of what is no kernel address is not mapped. The CPU's fault address is then that of the shadow; what the code was about to touch
 * is eight times as far from 0 (mm/kasan/report.c, kasan_non_canonical_hook() prints the range).
 *
 *   lea 0x8(%rbx),%rdi             rbx = 0
 *   mov %rdi,%rax; shr $3,%rax     rax = 1
 *   cmpb $0x0,(%rax,%rdx)          rdx = dffffc0000000000, fault at dffffc0000000001     ◄ faults here
 *   mov 0x8(%rbx),%rax             read of 8 bytes at 0x8                                ◄ is what is told
 */
import type { MemoryOperand } from "../../arch/disassembler.ts";
import { hex16 } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { kasanShadowOffsets } from "../../linux/kasan-shadow.ts";
import type { Activation } from "./activation.ts";
import type { FaultingAccess } from "./faulting-access.ts";
import { sameOrigin } from "./known-values.ts";
import type { TouchedMemory } from "./operands.ts";

/** Instructions behind the check in which the access itself is looked for. */
const BEHIND = 24;

/** Built with KASAN; its checks call one of these where they fail. */
const SYMBOLS = ["__asan_report_load8_noabort", "__asan_report_store8_noabort", "kasan_report", "kasan_init"];

/** The access that the check stood before; the same access when it is none of KASAN's checks. */
export function checkedAccess(kernel: Kernel, access: FaultingAccess, fault: Activation): FaultingAccess {
  if (access.kind !== "memory" || !SYMBOLS.some((name) => kernel.tryAddress(name) !== undefined)) return access;
  const { base, index, displacement } = access.culprit;
  const parts = [base?.value, index?.value, BigInt.asUintN(64, displacement)];
  const offset = kasanShadowOffsets(kernel.arch.name).find((each) => parts.includes(each));
  if (offset === undefined) return access;
  const shadow = BigInt.asUintN(64, access.address - offset);
  // One shadow byte is that of eight bytes: which of them, the register says that it was counted from.
  const holders = [...fault.registers].filter(
    ([name, value]) => value >> 3n === shadow && name !== base?.register && name !== index?.register,
  );
  const values = new Set(holders.map(([, value]) => value));
  const [holder] = holders;
  const address = holder !== undefined && values.size === 1 ? holder[1] : BigInt.asUintN(64, shadow << 3n);
  const culprit = holder === undefined || values.size !== 1 ? plain(address) : through(fault, holder[0], address);
  const what = `${hex16(access.address)} is the shadow of ${hex16(address)}: KASAN's check before the access faulted`;
  return { ...access, culprit, address, shadow: access.address, checks: [...access.checks, { what, agrees: true }] };
}

function plain(address: bigint): TouchedMemory {
  return { text: hex16(address), access: "read", size: 0, address, reach: 0, displacement: 0n };
}

/** The pointer that the address was counted from, and the access behind the check. */
function through(fault: Activation, register: string, address: bigint): TouchedMemory {
  const { flow, pc, registers } = fault;
  const origin = flow?.originOf(pc, register);
  const sum = origin?.kind === "sum" && origin.added !== undefined ? origin : undefined;
  const value = sum?.added === undefined ? undefined : BigInt.asUintN(64, address - sum.added);
  const pointer =
    value === undefined || sum?.from === undefined
      ? undefined
      : [...registers].find(
          ([name, each]) => each === value && flow !== undefined && sum.from !== undefined && sameOrigin(flow.originOf(pc, name), sum.from),
        )?.[0];
  const displacement = pointer === undefined ? 0n : (sum?.added ?? 0n);
  const own = pointer ?? register;
  const found = accessBehind(fault, [
    [register, 0n],
    [own, displacement],
  ]);
  const text =
    displacement === 0n
      ? `(${own})`
      : `${displacement < 0n ? "-" : ""}0x${(displacement < 0n ? -displacement : displacement).toString(16)}(${own})`;
  return {
    text,
    access: found?.operand.access === "write" || found?.operand.access === "readwrite" ? found.operand.access : "read",
    size: found?.operand.size ?? 0,
    address,
    reach: 0,
    base: { register: own, value: BigInt.asUintN(64, address - displacement) },
    displacement,
    ...(found === undefined ? {} : { memory: found.operand, pc: found.pc }),
  };
}

function accessBehind(
  { flow, pc }: Activation,
  ways: readonly (readonly [string, bigint])[],
): { readonly operand: MemoryOperand; readonly pc: bigint } | undefined {
  const addresses = flow?.addresses ?? [];
  const from = addresses.findIndex((each) => each > pc);
  if (from < 0) return undefined;
  for (const at of addresses.slice(from, from + BEHIND)) {
    const instruction = flow?.at(at)?.instruction;
    for (const operand of instruction?.operands ?? []) {
      if (operand.kind !== "memory" || operand.index !== undefined || operand.access === "address") continue;
      if (ways.some(([base, displacement]) => operand.base === base && operand.displacement === displacement)) return { operand, pc: at };
    }
    // What is written is another value from there on.
    if (instruction?.writes.some((name) => ways.every(([base]) => base === name))) return undefined;
  }
  return undefined;
}
