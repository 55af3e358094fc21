/**
 * Truth for the relocation of a module's debug sections: the linker itself, told to put each section at an address of its own and to leave
 * strings unmerged.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../../src/bytes/file-source.ts";
import { DebugFile } from "../../src/debug-info/debug-file.ts";
import { Elf } from "../../src/debug-info/elf.ts";

const SHF_ALLOC = 2;
const SHF_MERGE = 16;

export interface Tools {
  readonly ld: string;
  readonly objcopy: string;
}

/** binutils for a machine of the lab; undefined when they are not installed. */
export function toolsFor(arch: string): Tools | undefined {
  const prefix = arch === "arm64" ? "aarch64-linux-gnu-" : "";
  const tools = { ld: `${prefix}ld`, objcopy: `${prefix}objcopy` };
  return Object.values(tools).every((tool) => spawnSync(tool, ["--version"]).status === 0) ? tools : undefined;
}

export function run(tool: string, ...words: readonly string[]): void {
  const { status, stderr } = spawnSync(tool, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${tool} ${words.join(" ")}: ${stderr}`);
}

export interface LinkedModule {
  readonly addresses: ReadonlyMap<string, bigint>;
  /** Names of the debug sections. */
  readonly sections: readonly string[];
  /** What the linker made of them. */
  readonly linked: DebugFile;
}

/** Links a module as if it were loaded. */
export function linkModule(ko: string, { ld, objcopy }: Tools, directory: string): LinkedModule {
  const input = join(directory, "input.ko");
  const unmerged = Elf.open(openFile(ko)).sections.flatMap(({ name, flags }) => {
    if ((flags & SHF_MERGE) === 0) return [];
    return ["--set-section-flags", `${name}=${(flags & SHF_ALLOC) === 0 ? "debug" : "alloc,data"},readonly,contents`];
  });
  run(objcopy, ...unmerged, ko, input);
  const elf = Elf.open(openFile(input));
  const addresses = new Map<string, bigint>();
  const script = ["SECTIONS {"];
  let at = 0xffff_ffff_c000_0000n;
  for (const { name, flags, size } of elf.sections) {
    if ((flags & SHF_ALLOC) === 0 || size === 0 || addresses.has(name)) continue;
    at = (at + 0xfffn) & ~0xfffn;
    addresses.set(name, at);
    script.push(`  "${name}" 0x${at.toString(16)} : { *("${name}") }`);
    at += BigInt(size) + 0x10000n;
  }
  const sections = [...new Set(elf.sections.map(({ name }) => name).filter((name) => name.startsWith(".debug_")))];
  for (const name of sections) script.push(`  ${name} 0 : { *(${name}) }`);
  script.push("}");
  writeFileSync(join(directory, "script.lds"), script.join("\n"));
  // What the module imports stays undefined; that is no error here.
  const output = join(directory, "linked");
  spawnSync(ld, [
    "-T",
    join(directory, "script.lds"),
    "--unresolved-symbols=ignore-all",
    "-e",
    "0",
    "--noinhibit-exec",
    "-o",
    output,
    input,
  ]);
  return { addresses, sections, linked: DebugFile.open(openFile(output)) };
}
