/**
 * drgn's word on the variables of frames, to hold ours against: names, and the bytes of each that it has a value for.
 *
 *   drgn   pid, frames of [name, inlined, {variable: bytes in hex | null when absent | an error}]
 */
import { sizeOf } from "../../src/debug-info/c-type.ts";
import type { FrameVariable } from "../../src/stack/frame-variables.ts";

export interface DrgnVariables {
  readonly name: string | null;
  readonly inline: boolean;
  /** In hexadecimal. */
  readonly pc: string;
  /** Bytes in hexadecimal; null: it has no value; "!…": it could not be read. */
  readonly variables: Readonly<Record<string, string | null>>;
}

/** Larger ones are compared by their first bytes. */
export const MAX_BYTES = 256;

/** Prints one line a task: pid, then its frames as JSON. @param pids those wanted; @param modules files with debug information */
export const drgnVariables = (pids: readonly number[]) => `
import json
from drgn.helpers.linux import for_each_task
wanted = {${pids.join(", ")}}
def content(thing):
    if thing.absent_:
        return None
    try:
        return thing.read_().to_bytes_()[:${MAX_BYTES}].hex()
    except Exception as error:
        return "!" + str(error)
def variables(frame):
    found = {}
    for name in frame.locals():
        try:
            found[name] = content(frame[name])
        except Exception as error:
            found[name] = "!" + str(error)
    return {"name": frame.name, "inline": frame.is_inline, "pc": "%x" % frame.pc, "variables": found}
for task in for_each_task(prog):
    if task.pid.value_() not in wanted:
        continue
    try:
        trace = prog.stack_trace(task)
    except Exception:
        continue
    print(task.pid.value_(), json.dumps([variables(frame) for frame in trace]))
`;

export function parseDrgnVariables(output: string): ReadonlyMap<number, readonly DrgnVariables[]> {
  const stacks = new Map<number, readonly DrgnVariables[]>();
  for (const line of output.split("\n")) {
    if (/^\d+ \[/.test(line)) stacks.set(Number(line.slice(0, line.indexOf(" "))), JSON.parse(line.slice(line.indexOf(" ") + 1)));
  }
  return stacks;
}

/** A variable's bytes in hexadecimal; undefined when it has none or they cannot be read. */
export function contentOf({ type, value }: FrameVariable): string | undefined {
  const size = sizeOf(type);
  if (value === undefined || value.pointee !== undefined || size === 0) return undefined;
  const shown = Math.min(size, MAX_BYTES);
  const bytes =
    value.place === undefined
      ? Array.from({ length: shown }, (_, i) => Number((BigInt.asUintN(size * 8, value.bigint()) >> BigInt(8 * i)) & 0xffn))
      : value.place.memory.tryBytes(value.place.address, shown);
  return bytes === undefined ? undefined : Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export interface Counts {
  frames: number;
  /** Parameters that drgn lists, that it has a value of, and that we have. */
  parameters: number;
  theirs: number;
  ours: number;
  /** Of ours: those through callers. */
  fromCaller: number;
  /** Those of a call's entry. */
  atEntry: number;
  /** Locals that drgn has a value of, and that we have. */
  localsTheirs: number;
  localsOurs: number;
}

export const NOTHING: Readonly<Counts> = {
  frames: 0,
  parameters: 0,
  theirs: 0,
  ours: 0,
  fromCaller: 0,
  atEntry: 0,
  localsTheirs: 0,
  localsOurs: 0,
};

/** Compares one frame's variables: names each way, and the bytes of all that drgn has. Adds to the counts. */
export function compareVariables(ours: readonly FrameVariable[], theirs: DrgnVariables, counts: Counts): string[] {
  const differences: string[] = [];
  const own = new Map<string, FrameVariable>();
  // Of several with one name the innermost counts, as in drgn; a parameter is outermost.
  for (const variable of ours) {
    const known = own.get(variable.name);
    if (known === undefined || known.kind === "parameter") own.set(variable.name, variable);
  }
  counts.frames++;
  const missing = Object.keys(theirs.variables).filter((name) => !own.has(name));
  const more = [...own.values()].filter(({ name, kind }) => kind === "parameter" && !(name in theirs.variables)).map(({ name }) => name);
  if (missing.length > 0 || more.length > 0) differences.push(`names: missing ${missing.join(" ")}, more ${more.join(" ")}`);
  for (const [name, content] of Object.entries(theirs.variables)) {
    const variable = own.get(name);
    if (variable === undefined) continue;
    const mine = contentOf(variable);
    const known = content !== null && !content.startsWith("!");
    if (variable.kind === "parameter") {
      counts.parameters++;
      if (known) counts.theirs++;
      if (variable.value !== undefined) counts.ours++;
      if (variable.state === "from caller") counts.fromCaller++;
      if (variable.atEntry) counts.atEntry++;
    } else {
      if (known) counts.localsTheirs++;
      if (variable.value !== undefined) counts.localsOurs++;
    }
    if (known && (variable.atEntry || mine !== content)) {
      differences.push(
        `${name}: ours ${mine} (${variable.state}${variable.atEntry ? ", at entry" : ""} ${variable.reason ?? ""}), theirs ${content}`,
      );
    }
  }
  return differences;
}
