/**
 * The function that returned to nowhere on arm64, by what was entered last: a function that ftrace may trace begins with `mov x9, x30`
 * (arch/arm64/Makefile, -fpatchable-function-entry, since 5.5), so that x9 still is the return address of the last of them. A register that
 * the function in which that lies leaves with an address of its stack tells where its frame began; the one whose frame begins at the stack
 * pointer has returned: itself, or the function that called it.
 *
 *   x9 = h+0x1c       the call before it entered a function that begins with mov x9, x30
 *   x3 = sp + 0x18    in h: so h's frame is …d50 to …d70
 *   sp = …d80         f, which calls h with 0x10 bytes of stack in use, has returned
 */
import type { RegisterSet } from "../../arch/registers.ts";
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type FunctionFlow, flowOf } from "../../type-flow/function-flow.ts";
import { machineOf } from "../../type-flow/machine.ts";
import { instructionAt, instructionBefore } from "./instruction-at.ts";

export interface LastEntered {
  readonly function: string;
  readonly module: string | undefined;
  /** "x9 = ff…06c in h", "x3 = ff…d68 is in h's frame". */
  readonly witnesses: readonly string[];
}

const MOV_X9_X30 = 0xaa1e_03e9;
/** Instructions at a function's start in which it is looked for: bti comes before. */
const START = 3;
/** Bytes that a frame lies from the stack pointer at most. */
const NEAR = 4096n;
/** Bytes of a module's code that is searched for calls. */
const MAX_TEXT = 4 << 20;
const MAX_CALLERS = 32;

/** @param sp behind the return */
export function lastEntered(kernel: Kernel, sp: bigint, registers: RegisterSet): LastEntered | undefined {
  if (kernel.arch.name !== "aarch64") return undefined;
  try {
    const x9 = registers.get(registers.file.names.indexOf("x9"));
    const back = x9 === undefined ? undefined : virtual(kernel.arch.stripPointer(x9));
    if (back === undefined || !isCode(kernel, back)) return undefined;
    const call = instructionBefore(kernel, back);
    const target = call?.flow === "call" ? call.operands.find((operand) => operand.kind === "target") : undefined;
    if (target?.kind !== "target" || !isTraced(kernel, target.address)) return undefined;
    const inner = flowOf(kernel, virtual(back - 4n));
    const frame = frameOf(kernel, inner, sp, registers);
    if (frame === undefined) return undefined;
    const witnesses = [`x9 = ${hex16(back)} in ${inner.name}`, frame.witness];
    if (frame.cfa === sp) return { function: inner.name, module: inner.module, witnesses };
    const callers = callersOf(kernel, inner).filter((each) => each.down === Number(frame.cfa - sp));
    const [only, ...more] = new Map(callers.map((each) => [each.flow.name, each])).values();
    return only === undefined || more.length > 0 ? undefined : { function: only.flow.name, module: only.flow.module, witnesses };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function isCode(kernel: Kernel, address: VirtualAddress): boolean {
  const symbol = kernel.arch.isKernelAddress(address) ? kernel.symbols.byAddress(address)?.symbol : undefined;
  return symbol !== undefined && "tTwW".includes(symbol.type);
}

function isTraced(kernel: Kernel, start: VirtualAddress): boolean {
  return Array.from({ length: START }, (_, i) => kernel.memory.tryU32(add(start, i * 4))).includes(MOV_X9_X30);
}

/** Where a function's frame began, by a register that it leaves with an address in it. */
function frameOf(
  kernel: Kernel,
  flow: FunctionFlow,
  sp: bigint,
  registers: RegisterSet,
): { readonly cfa: bigint; readonly witness: string } | undefined {
  const { preserved, registers: names } = machineOf("aarch64");
  const found = new Map<bigint, string>();
  for (const pc of flow.addresses) {
    if (instructionAt(kernel, pc)?.flow !== "return") continue;
    for (const name of names) {
      const value = registers.get(registers.file.names.indexOf(name));
      const origin = value === undefined || preserved.has(name) || name === "x30" ? undefined : flow.originOf(pc, name);
      if (value === undefined || origin?.kind !== "stack") continue;
      const cfa = BigInt.asUintN(64, value - BigInt(origin.offset));
      // Another's that came after may have used the register for something else.
      if (cfa <= sp && sp - cfa < NEAR && cfa % 16n === 0n) found.set(cfa, `${name} = ${hex16(value)} is in the frame of ${flow.name}`);
    }
  }
  const [first, ...more] = found;
  return first === undefined || more.length > 0 ? undefined : { cfa: first[0], witness: first[1] };
}

/** Calls of a function in its module, with the stack in use there. */
function callersOf(
  kernel: Kernel,
  { module, parts: [main] }: FunctionFlow,
): readonly { readonly flow: FunctionFlow; readonly down: number }[] {
  const found: { readonly flow: FunctionFlow; readonly down: number }[] = [];
  for (const { kind, start, size } of kernel.modules.find(({ name }) => name === module)?.regions ?? []) {
    const bytes = /^(?:text|core)$/.test(kind) && size <= MAX_TEXT ? kernel.memory.tryBytes(start, size) : undefined;
    if (bytes === undefined || main === undefined) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 4 <= size && found.length < MAX_CALLERS; at += 4) {
      const word = view.getUint32(at, true);
      // bl: 26 bits of words, signed.
      if (word >>> 26 !== 0b100101 || add(start, at) + BigInt(((word << 6) >> 6) * 4) !== main.start) continue;
      const flow = flowOf(kernel, add(start, at));
      const down = flow.stackAt(add(start, at));
      if (down !== undefined) found.push({ flow, down });
    }
  }
  return found;
}
