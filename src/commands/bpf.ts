/** `bpf`: loaded programs and maps of eBPF. */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError, UsageError } from "../bytes/errors.ts";
import { type BpfInstruction, bpfInstructions } from "../linux/bpf/instruction.ts";
import { type BpfMap, type BpfProgram, bpfMaps, bpfPrograms, programBytes, programNames } from "../linux/bpf/objects.ts";
import { bpfApi } from "./api/views.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type Command, defineCommand, type Session } from "./command.ts";
import { codeLines, type DisLine, disLine } from "./dis/lines.ts";
import { dateText } from "./support/date-text.ts";
import { parseNumber } from "./support/evaluate.ts";
import { chosenRadix } from "./support/radix.ts";
import { resolveStruct } from "./support/struct-name.ts";
import { type ObjectValue, objectLines, readObject } from "./support/struct-object.ts";
import { valueReader } from "./support/value-reader.ts";

interface Shown {
  /** -s. */
  readonly structures?: readonly { readonly name: string; readonly object: ObjectValue }[];
  readonly problem?: string;
}

export interface ShownProgram extends BpfProgram, Shown {
  /** -t, -T. */
  readonly bytecode?: readonly BpfInstruction[];
  /** -j. */
  readonly machineCode?: Iterable<DisLine>;
}

export type ShownMap = BpfMap & Shown;

export interface BpfResult {
  readonly programs?: readonly ShownProgram[];
  readonly maps?: readonly ShownMap[];
  /** More than one line of each. */
  readonly detailed: boolean;
  /** -T: the bytes of each instruction. */
  readonly bytes: boolean;
  /** Of the column of map types: crash makes it as wide as this kernel's longest name, less one. */
  readonly typeWidth: number;
  readonly notes: readonly string[];
  readonly radix?: 10 | 16;
  toJSON(): Record<string, unknown>;
}

const SYNOPSIS = "[[-p ID | -P] [-tTj]] [[-m ID] | -M] [-s] [-xd]";

export const bpf: Command<BpfResult> = defineCommand<BpfResult>({
  spec: {
    name: "bpf",
    summary: "programs and maps of eBPF",
    synopsis: [SYNOPSIS],
    description: [
      "Without options: a line for each loaded program and each map. -p and -m tell more of one, -P and -M of all: sizes, names, when it was loaded and by whom.",
    ],
    options: [
      { flag: "-p", argument: "ID", help: "the program with this ID" },
      { flag: "-P", help: "all programs" },
      { flag: "-m", argument: "ID", help: "the map with this ID" },
      { flag: "-M", help: "all maps" },
      { flag: "-t", help: "with -p or -P: the program's instructions, as the verifier has rewritten them" },
      { flag: "-T", help: "the same with the bytes of each" },
      { flag: "-j", help: "with -p or -P: the machine code made of them" },
      { flag: "-s", help: "the structures: bpf_prog and bpf_prog_aux, or bpf_map" },
      { flag: "-x", help: "with -s: numbers in hexadecimal" },
      { flag: "-d", help: "with -s: numbers in decimal" },
    ],
    examples: [
      ["bpf", "what is loaded"],
      ["bpf -p 13 -t", "one program's instructions"],
      ["bpf -m 4 -s", "one map's structure"],
    ],
    differences: [
      "LOAD_TIME is reckoned from the boot clock at the time of the dump, and stands in the reader's time zone as all dates do.",
      "A kernel that hides prog_idr and map_idr is served with the programs and maps that tasks hold open.",
      "Instructions of newer kernels (atomic operations, sign extension, byte swaps) are known.",
    ],
    needsDisassembler: (line) => /-\w*j/.test(line),
  },
  run(session, args) {
    checkOptions(args);
    const { kernel } = session;
    const notes: string[] = [];
    const programs = args.has("-p") || args.has("-P");
    const maps = args.has("-m") || args.has("-M");
    const all = !programs && !maps;
    // Maps are named in the instructions of programs.
    const known = all || maps || args.has("-t") || args.has("-T") ? bpfMaps(kernel, notes) : [];
    const radix = chosenRadix(args);
    const shown = {
      ...(programs || all ? { programs: chosenPrograms(session, args, known, notes) } : {}),
      ...(maps || all ? { maps: chosenMaps(session, args, known) } : {}),
    };
    return {
      ...shown,
      detailed: !all,
      bytes: args.has("-T"),
      typeWidth: mapTypeWidth(session),
      notes,
      ...(radix === undefined ? {} : { radix }),
      toJSON: () => ({ ...shown, notes }),
    };
  },
  *text({ programs, maps, detailed, bytes, typeWidth, notes, radix }, layout) {
    const numbers = radix ?? layout.radix;
    if (programs !== undefined && programs.length > 0) {
      let whole = true;
      for (const program of programs) {
        if (whole) yield " ID      BPF_PROG       BPF_PROG_AUX   BPF_PROG_TYPE       TAG        USED_MAPS";
        whole = false;
        yield programLine(program);
        if (!detailed) continue;
        yield* programDetails(program);
        yield* programCode(program, bytes);
        yield* structureLines(program, numbers);
        if (program !== programs.at(-1)) yield "";
        whole = true;
      }
    }
    if (programs !== undefined && maps !== undefined) yield "";
    if (maps !== undefined && maps.length > 0) {
      let whole = true;
      for (const map of maps) {
        if (whole) yield ` ID      BPF_MAP      ${centre("BPF_MAP_TYPE", typeWidth)} MAP_FLAGS`;
        whole = false;
        yield ` ${String(map.id).padEnd(3)} ${hex16(map.address)} ${centre(map.type, typeWidth)}  ${map.flags.toString(16).padStart(8, "0")}`;
        if (!detailed) continue;
        const { keySize, valueSize, maxEntries, memory, name, uid } = map;
        yield `     KEY_SIZE: ${keySize}  VALUE_SIZE: ${valueSize}  MAX_ENTRIES: ${maxEntries}  MEMLOCK: ${memory}`;
        yield `     NAME: ${name === undefined ? "(unused)" : `"${name}"`}  UID: ${uid ?? "(unused)"}`;
        yield* structureLines(map, numbers);
        if (map !== maps.at(-1)) yield "";
        whole = true;
      }
    }
    for (const note of notes) yield `bpf: ${note}`;
  },
  api: bpfApi,
});

function mapTypeWidth({ kernel }: Session): number {
  const found = kernel.types.find("enum", "bpf_map_type", { modules: false });
  const lengths = found?.kind === "enum" ? found.enumerators.map(({ name }) => name.replace(/^BPF_MAP_TYPE_/, "").length) : [];
  return Math.max(12, ...lengths.map((length) => length - 1));
}

function checkOptions(args: ParsedArguments): void {
  const [stray] = args.operands;
  if (stray !== undefined) throw new UsageError(`invalid argument: ${stray}`);
  const programs = args.has("-p") || args.has("-P");
  for (const flag of ["-t", "-T", "-j"])
    if (args.has(flag) && !programs) throw new UsageError(`${flag} option only applicable with -p or -P`);
  if (args.has("-s") && !programs && !args.has("-m") && !args.has("-M")) throw new UsageError("-s option requires either -p, -P, -m or -M");
  for (const flag of ["-x", "-d"])
    if (args.has(flag) && !args.has("-s") && !programs && !args.has("-m") && !args.has("-M"))
      throw new UsageError(`${flag} option requires -s`);
}

function wantedId(text: string): number {
  const value = parseNumber(text, 10);
  if (value === undefined) throw new UsageError(`not a valid number: ${text}`);
  return Number(value);
}

function chosenPrograms(session: Session, args: ParsedArguments, maps: readonly BpfMap[], notes: string[]): readonly ShownProgram[] {
  const all = bpfPrograms(session.kernel, notes);
  const id = args.has("-P") ? undefined : args.value("-p");
  const wanted = id === undefined ? undefined : wantedId(id);
  const chosen = wanted === undefined ? all : all.filter((program) => program.id === wanted);
  if (id !== undefined && chosen.length === 0) throw new LookupError(`invalid program ID: ${id}`);
  return chosen.map((program) => shownProgram(session, args, program, maps));
}

function shownProgram(session: Session, args: ParsedArguments, program: BpfProgram, maps: readonly BpfMap[]): ShownProgram {
  const { kernel } = session;
  const structures = [["bpf_prog", program.address] as const, ["bpf_prog_aux", program.aux] as const];
  let shown: ShownProgram = args.has("-s") ? { ...program, structures: objectsOf(session, structures) } : program;
  if (args.has("-t") || args.has("-T")) {
    try {
      shown = { ...shown, bytecode: [...bpfInstructions(programBytes(kernel, program), programNames(kernel, maps))] };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      shown = { ...shown, problem: `its instructions cannot be read: ${error.message}` };
    }
  }
  if (args.has("-j") && program.jited > 0) {
    const end = (program.code + BigInt(program.jited)) as VirtualAddress;
    shown = { ...shown, machineCode: codeLines(kernel, program.code, end) };
  }
  return shown;
}

function chosenMaps(session: Session, args: ParsedArguments, all: readonly BpfMap[]): readonly ShownMap[] {
  const id = args.has("-M") ? undefined : args.value("-m");
  const wanted = id === undefined ? undefined : wantedId(id);
  const chosen = wanted === undefined ? all : all.filter((map) => map.id === wanted);
  if (id !== undefined && chosen.length === 0) throw new LookupError(`invalid map ID: ${id}`);
  if (!args.has("-s")) return chosen;
  return chosen.map((map) => ({ ...map, structures: objectsOf(session, [["bpf_map", map.address]]) }));
}

function objectsOf(
  session: Session,
  list: readonly (readonly [name: string, address: VirtualAddress])[],
): NonNullable<Shown["structures"]> {
  const reader = valueReader(session);
  return list.map(([name, address]) => ({ name, object: readObject(reader, resolveStruct(session.kernel, name, "struct"), address) }));
}

/** As crash centres: what is left over goes to the right. */
function centre(text: string, width: number): string {
  return text.padStart(text.length + Math.max(0, Math.floor((width - text.length) / 2))).padEnd(width);
}

function programLine({ id, address, aux, type, tag, maps }: BpfProgram): string {
  return ` ${String(id).padEnd(3)} ${hex16(address)} ${hex16(aux)} ${centre(type, 13)} ${tag} ${centre(maps.join(","), 9)}`.trimEnd();
}

function* programDetails({ translated, jited, memory, loaded, gplCompatible, name, uid, problem }: ShownProgram): Iterable<string> {
  yield `     XLATED: ${translated}  JITED: ${jited}  MEMLOCK: ${memory}`;
  yield `     LOAD_TIME: ${loaded === undefined ? "(unknown)" : dateText(BigInt(Math.floor(loaded)) * 1_000_000_000n)}`;
  const text = name === undefined ? "" : `  NAME: "${name}"`;
  yield `     GPL_COMPATIBLE: ${gplCompatible ? "yes" : "no"}${text}  UID: ${uid ?? "(unused)"}`;
  if (problem !== undefined) yield `     (${problem})`;
}

function* programCode({ machineCode, bytecode }: ShownProgram, bytes: boolean): Iterable<string> {
  if (machineCode !== undefined) {
    yield "";
    for (const line of machineCode) yield disLine(line, 10);
  }
  if (bytecode === undefined) return;
  yield "";
  for (const { index, code, text, bytes: own } of bytecode) {
    yield `${String(index).padStart(4)}: (${hexByte(code)}) ${text}`;
    if (bytes) yield `       ${Array.from(own, hexByte).join(" ")}`;
  }
}

const hexByte = (byte: number) => byte.toString(16).padStart(2, "0");

function* structureLines({ structures }: Shown, radix: 10 | 16): Iterable<string> {
  for (const { name, object } of structures ?? []) {
    yield "";
    yield* objectLines({ type: { kind: "struct", name, size: 0, members: [] }, name, isTypedef: false, members: [] }, object, radix);
  }
}
