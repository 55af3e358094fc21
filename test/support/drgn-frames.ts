/**
 * drgn's word on stacks, to hold ours against: frames with inlined ones, source lines, registers.
 *
 *   drgn   {name, inline, interrupted, pc, source, registers} of each frame      ours   withInlinedFrames(unwindTask())
 */
import type { RegisterSet } from "../../src/arch/registers.ts";
import { endsWithPath, joinPath } from "../../src/debug-info/dwarf/line-paths.ts";
import type { StackFrame, UnwoundStack } from "../../src/stack/frame.ts";

export interface DrgnFrame {
  readonly name: string | null;
  readonly inline: boolean;
  /** In hexadecimal, as the registers. */
  readonly pc: string;
  readonly interrupted: boolean;
  readonly source: readonly [file: string, line: number, column: number] | null;
  readonly registers: Readonly<Record<string, string>>;
}

/** Prints one line a task: pid, then its frames as JSON. A task without a stack is left out. @param pids those wanted */
export const drgnStacks = (pids: readonly number[]) => `
import json
wanted = {${pids.join(", ")}}
from drgn.helpers.linux import for_each_task
def described(frame):
    try:
        source = list(frame.source())
    except LookupError:
        source = None
    registers = {} if frame.is_inline else {name: "%x" % value for name, value in frame.registers().items()}
    return {"name": frame.name, "inline": frame.is_inline, "pc": "%x" % frame.pc, "interrupted": frame.interrupted,
            "source": source, "registers": registers}
def stack(pid, trace):
    print(pid, json.dumps([described(frame) for frame in trace]))
for task in for_each_task(prog):
    if task.pid.value_() not in wanted:
        continue
    try:
        trace = prog.stack_trace(task)
    except Exception:
        continue
    stack(task.pid.value_(), trace)
`;

export function parseDrgnStacks(output: string): ReadonlyMap<number, readonly DrgnFrame[]> {
  const stacks = new Map<number, readonly DrgnFrame[]>();
  for (const line of output.split("\n")) {
    const space = line.indexOf(" ");
    if (/^\d+ \[/.test(line)) stacks.set(Number(line.slice(0, space)), JSON.parse(line.slice(space + 1)) as DrgnFrame[]);
  }
  return stacks;
}

/** What two stacks have in common, and where they differ, in words. */
export interface Comparison {
  readonly frames: number;
  readonly inlined: number;
  readonly lines: number;
  readonly registers: number;
  /** Registers that only we have. */
  readonly more: number;
  readonly differences: readonly string[];
}

/** Compares frame by frame. Where both are known each must be equal; what is known to differ, and who is right: `expectedOf`. */
export function compareStacks(ours: UnwoundStack, theirs: readonly DrgnFrame[]): Comparison {
  const differences: string[] = [];
  let inlined = 0;
  let lines = 0;
  let registers = 0;
  let more = 0;
  const expected = expectedOf(ours, theirs);
  const own = ours.frames.map((frame) => ({ inline: frame.kind === "inline", pc: frame.pc.toString(16), name: plainName(frame.function) }));
  const other = expected.map(({ inline, pc, name }) => ({ inline, pc, name: plainName(name ?? undefined) }));
  const shape = (frames: typeof own) => frames.map(({ inline, pc, name }) => `${inline ? "+" : ""}${pc}:${name}`).join(" ");
  const same = own.length === other.length && own.every((frame, i) => isSame(frame, other[i] as (typeof own)[number]));
  if (!same) differences.push(`frames\n    ours   ${shape(own)}\n    theirs ${shape(other)}`);
  const count = Math.min(own.length, other.length);
  for (let i = 0; i < count; i++) {
    const frame = ours.frames[i] as StackFrame;
    const peer = expected[i] as DrgnFrame;
    if (own[i]?.pc !== other[i]?.pc || own[i]?.inline !== other[i]?.inline) break;
    if (peer.inline) inlined++;
    if (isSamePlace(frame, peer)) lines++;
    else differences.push(`line of #${i} ${frame.function}: ours ${frame.source?.file}:${frame.source?.line}, theirs ${peer.source}`);
    if (peer.inline) continue;
    for (const [name, value] of savedRegisters(frame.registers)) {
      const known = peer.registers[name];
      if (known === undefined) {
        if (value !== undefined) more++;
      } else if (value?.toString(16) === known) registers++;
      else differences.push(`${name} of #${i} ${frame.function}: ours ${value?.toString(16)}, theirs ${known}`);
    }
  }
  return { frames: count, inlined, lines, registers, more, differences };
}

function savedRegisters(set: RegisterSet): (readonly [string, bigint | undefined])[] {
  return [...set.file.calleeSaved, set.file.sp].map((register) => [set.file.names[register] as string, set.get(register)] as const);
}

/**
 * drgn's frames without those that it takes from what is no stack any more: it goes on into user space, and on kernels without ORC past
 * the stack's end. Such frames have no name.
 */
function expectedOf(ours: UnwoundStack, theirs: readonly DrgnFrame[]): readonly DrgnFrame[] {
  if (!ours.stop.complete) return theirs;
  const rest = theirs.slice(ours.frames.length);
  return ours.user !== undefined || rest.every(({ name }) => name?.startsWith("0x") === true)
    ? theirs.slice(0, ours.frames.length)
    : theirs;
}

interface Shape {
  readonly inline: boolean;
  readonly pc: string;
  readonly name: string;
}

/** drgn has no names for modules without debug information, and the nearest larger symbol for labels within assembler functions. */
function isSame(own: Shape, other: Shape): boolean {
  const named = other.name.startsWith("0x") || own.name.startsWith(other.name);
  return named && own.pc === other.pc && own.inline === other.inline;
}

/** drgn's paths are not joined to the unit's directory. */
function isSamePlace({ source }: StackFrame, peer: DrgnFrame): boolean {
  if (source === undefined || peer.source === null) return source === undefined && peer.source === null;
  return source.line === peer.source[1] && endsWithPath(source.file, joinPath(peer.source[0]));
}

/** The source's name: what compilers add (".cold", ".isra.0", ".part.0") belongs to the symbol alone. */
function plainName(name: string | undefined): string {
  return name?.replace(/\..*$/, "") ?? "?";
}
