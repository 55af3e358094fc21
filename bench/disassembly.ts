/**
 * Our disassembly against GNU objdump's, over the kernel text that lies in a dump: how many lines are identical, and how fast.
 *
 *   node dist/bench/disassembly.js [--limit N] DUMP…        OBJDUMP_X86_64, OBJDUMP_AARCH64 name other objdumps than those of the PATH
 *
 * objdump sweeps the same bytes from a file; wherever it sees an instruction, ours must print the same text. binutils changed its dialect
 * in 2.41 (`shr $1,%eax` for `shr %eax`) and 2.44 (`clrbhb` for `clearbhb`): ours is the new one and is turned back for an older objdump.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { type Disassembler, instructionText, loadDisassembler } from "../src/arch/disassembler.ts";
import { add, distance, type VirtualAddress, virtual } from "../src/bytes/address.ts";
import { registerDisassemblers } from "../src/faces/cli/disassemblers.ts";
import type { Kernel } from "../src/kernel/kernel.ts";
import { openKernel } from "../src/kernel/open.ts";

export interface Comparison {
  readonly dump: string;
  readonly machine: string;
  readonly release: string;
  readonly objdump: string;
  readonly instructions: number;
  readonly identical: number;
  /** Microseconds for one instruction: decoding and text. */
  readonly microseconds: number;
  /** Pairs of mnemonics that differ, most frequent first, with one example of each. */
  readonly differences: readonly { readonly count: number; readonly theirs: string; readonly ours: string }[];
}

interface Text {
  readonly start: VirtualAddress;
  readonly bytes: Uint8Array;
}

/** Compares over the first `limit` instructions of _stext … _etext. */
export async function compareWithObjdump(dump: string, limit: number): Promise<Comparison> {
  const kernel = await openKernel([dump]);
  registerDisassemblers();
  const disassembler = await loadDisassembler(kernel.arch.name);
  const text = kernelText(kernel);
  const tool = objdumpOf(kernel.arch.name);
  const directory = mkdtempSync(join(tmpdir(), "inquest-bench-"));
  try {
    const file = join(directory, "text.bin");
    writeFileSync(file, text.bytes);
    const found = await compare(disassembler, text, lines(tool.path, kernel.arch.name, file, text.start), limit, tool.version);
    return { dump, machine: kernel.arch.name, release: kernel.vmcoreinfo?.osrelease ?? "?", objdump: tool.version.text, ...found };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function kernelText(kernel: Kernel): Text {
  const start = kernel.address("_stext");
  const bytes = new Uint8Array(distance(kernel.address("_etext"), start));
  const page = 4096;
  for (let at = 0; at < bytes.length; at += page) {
    const size = Math.min(page, bytes.length - at);
    const read = kernel.memory.tryBytes(add(start, at), size);
    // A hole in the dump: objdump skips zeroes too.
    if (read !== undefined) bytes.set(read, at);
  }
  return { start, bytes };
}

interface Version {
  readonly text: string;
  /** 2.44 as 244. */
  readonly number: number;
}

function objdumpOf(machine: string): { readonly path: string; readonly version: Version } {
  const path =
    machine === "x86_64" ? (process.env.OBJDUMP_X86_64 ?? "objdump") : (process.env.OBJDUMP_AARCH64 ?? "aarch64-linux-gnu-objdump");
  const first = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0] ?? "";
  const found = /(\d+)\.(\d+)(?:\.\d+)?$/.exec(first.trim());
  if (found === null) throw new Error(`${path}: no GNU objdump (its version line is "${first}")`);
  return { path, version: { text: `${found[1]}.${found[2]}`, number: Number(found[1]) * 100 + Number(found[2]) } };
}

function lines(path: string, machine: string, file: string, start: VirtualAddress): AsyncIterable<string> {
  const target = machine === "x86_64" ? "i386:x86-64" : "aarch64";
  const child = spawn(path, ["-D", "-b", "binary", "-m", target, `--adjust-vma=0x${start.toString(16)}`, "--no-show-raw-insn", file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return createInterface({ input: child.stdout });
}

async function compare(disassembler: Disassembler, text: Text, output: AsyncIterable<string>, limit: number, version: Version) {
  const differences = new Map<string, { count: number; theirs: string; ours: string }>();
  let instructions = 0;
  let identical = 0;
  let spent = 0n;
  for await (const line of output) {
    const found = /^\s*([0-9a-f]+):\s+(.*)$/.exec(line);
    if (found === null) continue;
    if (instructions === limit) break;
    instructions++;
    const address = virtual(BigInt(`0x${found[1]}`));
    const at = distance(address, text.start);
    const before = process.hrtime.bigint();
    const ours = instructionText(
      disassembler.instruction(text.bytes.subarray(at, at + disassembler.longest), address),
      (target) => `0x${target.toString(16)}`,
    );
    spent += process.hrtime.bigint() - before;
    const theirs = (found[2] as string).trimEnd();
    const aged = olderDialect(ours, version.number);
    if (aged === theirs) {
      identical++;
      continue;
    }
    const key = `${theirs.split(/\s/)[0]} ${aged.split(/\s/)[0]}`;
    const known = differences.get(key);
    if (known === undefined) differences.set(key, { count: 1, theirs, ours: aged });
    else known.count++;
  }
  return {
    instructions,
    identical,
    microseconds: Number(spent) / 1000 / Math.max(1, instructions),
    differences: [...differences.values()].sort((a, b) => b.count - a.count),
  };
}

/** Our text as an older binutils would print it. */
function olderDialect(text: string, version: number): string {
  let older = text;
  if (version < 241) older = older.replace(/^((?:\S+ )*(?:sh[lr]|sa[lr]|ro[lr]|rc[lr])[bwlq]?\s+)\$1,/, "$1");
  if (version < 244) older = older.replace(/^clrbhb$/, "clearbhb");
  return older;
}

async function main(words: readonly string[]): Promise<void> {
  const at = words.indexOf("--limit");
  const limit = at < 0 ? Number.POSITIVE_INFINITY : Number(words[at + 1]);
  const dumps = at < 0 ? words : [...words.slice(0, at), ...words.slice(at + 2)];
  for (const dump of dumps) {
    const found = await compareWithObjdump(dump, limit);
    const share = ((100 * found.identical) / found.instructions).toFixed(4);
    console.log(
      `${found.release} ${found.machine}: ${found.identical} of ${found.instructions} identical to objdump ${found.objdump} (${share} %), ${found.microseconds.toFixed(2)} us each`,
    );
    for (const { count, theirs, ours } of found.differences.slice(0, 12))
      console.log(`  ${String(count).padStart(6)}  ${theirs}  |  ${ours}`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2));
