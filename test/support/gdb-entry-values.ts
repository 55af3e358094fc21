/**
 * gdb's word on what functions were entered with (`p parameter@entry`), over a core file of our making: one thread for each task, with the
 * registers an unwind starts from, the kernel stacks, and the kernel's image.
 *
 *   core   ELF header │ program headers │ NT_PRSTATUS of each thread │ stacks, image
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { virtual } from "../../src/bytes/address.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { UnwoundStack } from "../../src/stack/frame.ts";

/** DWARF's numbers in the order of user_regs_struct, up to ss; what is not numbered is 0. */
const ORDER = [15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5, undefined, 16, undefined, undefined, 7];
const PRSTATUS = 336;
const PAGE = 4096;

interface Segment {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** Writes the core file of x86-64. Threads are numbered from 1. */
export function writeCore(path: string, kernel: Kernel, stacks: readonly UnwoundStack[]): void {
  const segments = [...stacks.flatMap((stack) => stackSegments(kernel, stack)), ...image(kernel)];
  const note = Buffer.concat(stacks.map((stack, i) => prstatus(stack, i + 1)));
  const headers = Buffer.alloc(64 + 56 * (segments.length + 1));
  headers.write("\x7fELF\x02\x01\x01", 0, "latin1");
  headers.writeUInt16LE(4, 16);
  headers.writeUInt16LE(62, 18);
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(64n, 32);
  headers.writeUInt16LE(64, 52);
  headers.writeUInt16LE(56, 54);
  headers.writeUInt16LE(segments.length + 1, 56);
  let offset = headers.length;
  const program = (index: number, type: number, address: bigint, size: number) => {
    const at = 64 + 56 * index;
    headers.writeUInt32LE(type, at);
    headers.writeUInt32LE(7, at + 4);
    headers.writeBigUInt64LE(BigInt(offset), at + 8);
    headers.writeBigUInt64LE(address, at + 16);
    headers.writeBigUInt64LE(BigInt(size), at + 32);
    headers.writeBigUInt64LE(BigInt(size), at + 40);
    offset += size;
  };
  program(0, 4, 0n, note.length);
  segments.forEach(({ address, bytes }, i) => {
    program(i + 1, 1, address, bytes.length);
  });
  const file = openSync(path, "w");
  for (const part of [headers, note, ...segments.map(({ bytes }) => bytes)]) writeSync(file, part);
  closeSync(file);
}

function prstatus({ frames }: UnwoundStack, thread: number): Buffer {
  const note = Buffer.alloc(20 + PRSTATUS);
  note.writeUInt32LE(5, 0);
  note.writeUInt32LE(PRSTATUS, 4);
  note.writeUInt32LE(1, 8);
  note.write("CORE\0", 12, "latin1");
  note.writeInt32LE(thread, 20 + 32);
  const registers = frames[0]?.registers;
  ORDER.forEach((register, i) => {
    note.writeBigUInt64LE(register === undefined ? 0n : (registers?.get(register) ?? 0n), 20 + 112 + 8 * i);
  });
  return note;
}

function stackSegments(kernel: Kernel, { frames }: UnwoundStack): Segment[] {
  const area = frames[0]?.stack;
  if (area === undefined || area.kind === "unknown") return [];
  return [{ address: area.start, bytes: kernel.memory.bytes(area.start, Number(area.end - area.start)) }];
}

/** Text and data page by page; what is not in the dump is left out. */
function image(kernel: Kernel): Segment[] {
  const start = kernel.address("_stext");
  const end = kernel.address("_end");
  const segments: Segment[] = [];
  let run: Uint8Array[] = [];
  let from = start;
  const close = () => {
    if (run.length > 0) segments.push({ address: from, bytes: Buffer.concat(run) });
    run = [];
  };
  for (let at: bigint = start; at < end; at += BigInt(PAGE)) {
    const page = kernel.memory.tryBytes(virtual(at), PAGE);
    if (page === undefined) close();
    else {
      if (run.length === 0) from = virtual(at);
      run.push(page);
    }
  }
  close();
  return segments;
}

/** Prints one line a thread: number, then its frames as JSON, inlined ones left out. */
export const GDB_SCRIPT = `
import gdb, json
gdb.execute("set print entry-values no")
gdb.execute("set backtrace past-main on")
def entries(frame):
    found = {}
    try:
        block = frame.block()
    except RuntimeError:
        return found
    while block is not None and block.function is None:
        block = block.superblock
    if block is None:
        return found
    frame.select()
    for symbol in block:
        if not symbol.is_argument:
            continue
        try:
            value = gdb.parse_and_eval(symbol.name + "@entry")
            if not value.is_optimized_out:
                found[symbol.name] = "%x" % (int(value) & 0xffffffffffffffff)
        except Exception as error:
            pass
    return found
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame = gdb.newest_frame()
    frames = []
    try:
        while frame is not None and len(frames) < 64:
            if frame.type() == gdb.NORMAL_FRAME:
                frames.append({"pc": "%x" % frame.pc(), "name": frame.name(), "entries": entries(frame)})
            frame = frame.older()
    except Exception as error:
        pass
    print(thread.ptid[1], json.dumps(frames), flush=True)
`;

export interface GdbFrame {
  readonly pc: string;
  readonly name: string | null;
  /** Values of parameters on entry, in hexadecimal. */
  readonly entries: Readonly<Record<string, string>>;
}

export function parseGdb(output: string): ReadonlyMap<number, readonly GdbFrame[]> {
  const threads = new Map<number, readonly GdbFrame[]>();
  for (const line of output.split("\n")) {
    if (/^\d+ \[/.test(line)) threads.set(Number(line.slice(0, line.indexOf(" "))), JSON.parse(line.slice(line.indexOf(" ") + 1)));
  }
  return threads;
}
