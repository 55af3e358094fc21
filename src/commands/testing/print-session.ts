/** A session with the printing commands over a small kernel: a list of three nodes, a per-CPU variable, a string, text symbols. */
import {
  array,
  CHAR,
  enumeration,
  functionType,
  INT,
  LONG,
  pointerTo,
  SparseMemory,
  smallKernel,
  struct,
  typedef,
  ULONG,
} from "../../kernel/testing/small-kernel.ts";
import type { Session } from "../command.ts";
import { down, frame, up } from "../frame.ts";
import { gdb } from "../gdb.ts";
import { info } from "../info.ts";
import { list } from "../list.ts";
import { output, p, print } from "../p.ts";
import { ptype } from "../ptype.ts";
import { rd } from "../rd.ts";
import { createRegistry } from "../registry.ts";
import { createSession } from "../session.ts";
import { star, struct as structCommand, union } from "../struct.ts";
import { sym } from "../sym.ts";
import { tree } from "../tree.ts";
import { whatis } from "../whatis.ts";
import { x } from "../x.ts";

const COMMANDS = [down, frame, gdb, info, list, output, p, print, ptype, rd, star, structCommand, sym, tree, union, up, whatis, x];

export const DATA = 0xffffffff82000000n;
/** Three nodes on a list around `head`. */
export const NODES = [0xffff888000001000n, 0xffff888000001040n, 0xffff888000001080n] as const;
export const HEAD = DATA + 0x100n;

const listHead: ReturnType<typeof struct> = struct("list_head", [
  ["next", pointerTo(() => listHead)],
  ["prev", pointerTo(() => listHead)],
]);
const mode = enumeration("mode", { OFF: 0, ON: 1 });
const node: ReturnType<typeof struct> = struct("node", [
  ["id", INT],
  ["mode", mode],
  ["link", listHead],
  ["name", array(CHAR, 8)],
  ["peer", pointerTo(() => node)],
]);

export interface PrintSession {
  readonly session: Session;
  readonly memory: SparseMemory;
  /** Lines of a command. */
  run(line: string): string[];
  /** Its result. */
  result(line: string): unknown;
}

export function printSession(): PrintSession {
  const memory = new SparseMemory();
  NODES.forEach((at, i) => {
    const next = NODES[i + 1] === undefined ? HEAD : NODES[i + 1]! + 8n;
    const previous = i === 0 ? HEAD : NODES[i - 1]! + 8n;
    memory
      .put(at, i + 1, 4)
      .put(at + 4n, i % 2, 4)
      .put(at + 8n, next)
      .put(at + 16n, previous)
      .text(at + 24n, `n${i}`);
    memory.put(at + 32n, NODES[i + 1] ?? 0n);
  });
  memory.put(HEAD, NODES[0] + 8n).put(HEAD + 8n, NODES[2] + 8n);
  memory
    .text(DATA, "Linux version 6.1\n\0")
    .put(DATA + 0x40n, 42)
    .put(DATA + 0x80n, DATA + 0x40n)
    .put(DATA + 0x88n, 7, 4);
  memory.put(0xffff88800f600010n, 5, 4).put(0xffff88800f700010n, 6, 4);
  memory.put(0xffff88800f600020n, 8, 4).put(0xffff88800f700020n, 9, 4);
  const kernel = smallKernel({
    memory,
    dumpLevel: 31,
    types: [listHead, node, mode, typedef("node_t", node), typedef("count_t", INT), typedef("tally_t", typedef("count_t", INT))],
    symbols: {
      __per_cpu_start: [0n, "D"],
      counter: [0x10n, "D"],
      boxes: [0x20n, "D"],
      __per_cpu_end: [0x1000n, "A"],
      _stext: [0xffffffff81000000n, "T"],
      run_it: [0xffffffff81000010n, "T"],
      stop_it: [0xffffffff81000040n, "t"],
      _etext: [0xffffffff81001000n, "T"],
      banner: [DATA, "D"],
      ticks: [DATA + 0x40n, "D"],
      pointer: [DATA + 0x80n, "d"],
      small: [DATA + 0x88n, "d"],
      padding: [DATA + 0x8cn, "d"],
      head: [HEAD, "D"],
      _end: [DATA + 0x200n, "B"],
    },
    variables: { banner: array({ kind: "const", target: CHAR }, 0), ticks: ULONG, counter: INT, boxes: node, head: listHead },
    functions: { run_it: functionType(LONG, pointerTo(node), INT) },
    perCpuOffsets: [0xffff88800f600000n, 0xffff88800f700000n],
  });
  const session = createSession(kernel, { registry: createRegistry(COMMANDS) });
  const execute = (line: string) => session.execute(line);
  return {
    session,
    memory,
    run: (line) => [...execute(line).text({ radix: session.settings.radix })],
    result: (line) => execute(line).result,
  };
}
