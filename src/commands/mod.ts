/** `mod`: loaded modules. */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type KernelModule, MODULES_BROKEN } from "../kernel/modules.ts";
import { moduleDebug } from "../linux/module-debug.ts";
import { type ModuleSection, moduleSections } from "../linux/module-sections.ts";
import { taintLetters } from "../linux/taint.ts";
import { modApi } from "./api/system.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Progress } from "./command.ts";
import { nearestNames } from "./support/nearest.ts";

export interface ModuleRow {
  readonly name: string;
  /** struct module. */
  readonly address: VirtualAddress;
  /** Start of its text, as /proc/modules shows it. */
  readonly base: VirtualAddress;
  readonly size: number;
  /** Letters such as OE; "" when it taints nothing. */
  readonly taints: string;
  /** live, coming, going. */
  readonly state: string;
  /** Its debug file in use. */
  readonly file?: string;
  readonly sections?: readonly ModuleSection[];
  /** Why the sections cannot be read. */
  readonly problem?: string;
}

export interface ModResult {
  /** By ascending base. */
  readonly modules: readonly ModuleRow[];
  readonly view: "list" | "taints" | "sections";
  /** The kernel places text apart from data (6.4+). */
  readonly textBase: boolean;
  readonly notes: readonly string[];
  toJSON(): Record<string, unknown>;
}

/** Modules without debug information that are named; the others are counted. */
const MAX_NAMED = 8;

/** enum module_state. */
const STATES = ["live", "coming", "going", "unformed"];

export const mod = defineCommand<ModResult>({
  spec: {
    name: "mod",
    summary: "loaded modules",
    synopsis: ["[module]…", "-t [module]…", "-g [module]…", "-s module [objfile] | -d module | -S [directory] | -D"],
    description: [
      "Lists the modules that were loaded: address of the struct module, name, start of the text, size. Symbols come from each module's own table in the dump and types from its BTF: nothing has to be loaded.",
      "A module's debug file adds lines, inlined calls and variables. It is looked for when it is first needed: by build-id, then by name below the directories of debug files (--debug-dir, /usr/lib/debug, /lib/modules) for the release; packed files (.xz, .zst, .gz) too. A file of another build is refused.",
    ],
    options: [
      { flag: "-t", help: "only modules that taint the kernel, with the letters" },
      { flag: "-g", help: "the sections of each module and where they lie" },
      { flag: "-s", argument: "module", help: "load the module's debug information, from the file that follows or from where it is found" },
      { flag: "-S", help: "the same for all modules, searching the directory that follows" },
      { flag: "-d", argument: "module", help: "forget the module's debug information" },
      { flag: "-D", help: "forget that of all modules" },
      { flag: "-r", help: "accepted with -s and -S" },
      { flag: "-R", help: "read the list again on a live system" },
      { flag: "-o", help: "accepted with -s and -S" },
    ],
    operands: ["module"],
    unpacks: true,
    examples: [
      ["mod", "the list"],
      ["mod -t", "which modules taint, and how"],
      ["mod -g loop", "where the sections of loop lie"],
      ["mod -s tun /tmp/tun.ko.debug", "lines and variables of tun from this file"],
      ["mod -S", "debug information of all modules"],
    ],
    differences: [
      "-g lists the sections that the kernel recorded; it needs no debug file.",
      "-s and -S are rarely needed: debug files that are installed are found on first need. Packed files are read, and a file is held against the module's build-id.",
    ],
  },
  run({ kernel, progress }, args) {
    if (args.has("-R")) throw new UnsupportedError("-R: a dump does not change");
    const all = [...kernel.modules].sort((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0));
    const broken = kernel.notes.find((note) => note.startsWith(MODULES_BROKEN));
    if (all.length === 0 && broken !== undefined) throw new LookupError(broken);
    const wanted = namedModules(args);
    for (const name of wanted) {
      if (!all.some((module) => module.name === name)) {
        throw new LookupError(
          broken === undefined
            ? `no module named "${name}" is loaded`
            : `no module named "${name}" among those that can be read: ${broken}`,
          nearestNames(
            name,
            all.map((module) => module.name),
          ),
        );
      }
    }
    // Without types the list cannot be walked: it is not empty, it is not known.
    if (all.length === 0 && kernel.types.lack !== undefined) throw kernel.types.lack;
    const chosen = wanted.length === 0 ? all : all.filter(({ name }) => wanted.includes(name));
    const notes = [...loadDebugFiles(kernel, chosen, args, progress)];
    const view = args.has("-t") ? "taints" : args.has("-g") ? "sections" : "list";
    const modules = chosen.map((module): ModuleRow => {
      const row = {
        name: module.name,
        address: module.address,
        base: module.base,
        size: module.size,
        taints: taintLetters(module.taints),
        state: STATES[module.state] ?? String(module.state),
        ...fileOf(kernel, module.name),
      };
      if (view !== "sections") return row;
      try {
        return { ...row, sections: moduleSections(kernel, module.address) };
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        return { ...row, problem: error.message };
      }
    });
    const shown = view === "taints" ? modules.filter(({ taints }) => taints !== "") : modules;
    if (broken !== undefined && wanted.length === 0) notes.push(broken);
    const textBase = kernel.types.tryStruct("module_memory") !== undefined;
    return { modules: shown, view, textBase, notes, toJSON: () => ({ modules: shown, ...(notes.length === 0 ? {} : { notes }) }) };
  },
  api: (_session, args) => modApi(args),
  *text({ modules, view, textBase, notes }) {
    if (view === "taints") yield* taintTable(modules);
    else if (view === "sections") yield* sectionTable(modules);
    else if (modules.length === 0) yield "no modules are loaded";
    else yield* moduleTable(modules, textBase);
    for (const note of notes) yield `(${note})`;
  },
});

/** -s, -S, -d, -D. What is asked for by name and fails throws; what -S does not find is told. */
function* loadDebugFiles(
  kernel: Kernel,
  modules: readonly KernelModule[],
  args: ParsedArguments,
  progress: Progress | undefined,
): Iterable<string> {
  const { debugInfo } = kernel;
  if (args.has("-d") || args.has("-D")) for (const { name } of modules) debugInfo.setModule(name, undefined);
  if (!args.has("-s") && !args.has("-S")) return;
  const files = moduleDebug(kernel);
  const [path] = args.operands;
  const missing: string[] = [];
  const refused: string[] = [];
  for (const [i, module] of modules.entries()) {
    progress?.("opening debug files of modules:", i, modules.length);
    try {
      debugInfo.setModule(module.name, files.open(module, path));
    } catch (error) {
      if (!(error instanceof InquestError) || args.has("-s")) throw error;
      if (!(error instanceof LookupError)) refused.push(error.message);
      else if (fileOf(kernel, module.name).file === undefined) missing.push(module.name);
    }
  }
  yield* refused;
  if (missing.length > 0) {
    const names =
      missing.length > MAX_NAMED ? `${missing.slice(0, MAX_NAMED).join(", ")} and ${missing.length - MAX_NAMED} more` : missing.join(", ");
    yield `no debug information found for ${missing.length} of ${modules.length} modules: ${names}`;
  }
}

/** The debug file in use; asking does not search for it. */
function fileOf(kernel: Kernel, name: string): { file?: string } {
  const found = kernel.debugInfo.files.find(({ module }) => module === name);
  return found === undefined ? {} : { file: found.path };
}

/** -s and -d have one module and then a file; what stands behind -S is a directory. */
function namedModules(args: ParsedArguments): readonly string[] {
  const one = args.value("-s") ?? args.value("-d");
  if (one !== undefined) return [one];
  return args.has("-S") || args.has("-D") ? [] : args.operands;
}

function* moduleTable(modules: readonly ModuleRow[], textBase: boolean): Iterable<string> {
  const nameWidth = Math.max(4, ...modules.map(({ name }) => name.length));
  const sizeWidth = Math.max(4, ...modules.map(({ size }) => String(size).length));
  const base = textBase ? "TEXT_BASE" : "BASE";
  const left = Math.floor((16 - base.length) / 2);
  yield `     MODULE       ${"NAME".padEnd(nameWidth)}  ${" ".repeat(left)}${base.padEnd(16 - left)}  ${"SIZE".padStart(sizeWidth)}  OBJECT FILE`;
  for (const module of modules) {
    const state = module.state === "live" ? "" : `  (${module.state})`;
    yield `${hex16(module.address)}  ${module.name.padEnd(nameWidth)}  ${baseText(module.base)}  ${String(module.size).padStart(sizeWidth)}  ${module.file ?? "(not loaded)  [CONFIG_KALLSYMS]"}${state}`;
  }
}

/** A module without text has no base. */
function baseText(base: bigint): string {
  return base === 0n ? "0".padStart(16) : hex16(base);
}

function* taintTable(modules: readonly ModuleRow[]): Iterable<string> {
  if (modules.length === 0) {
    yield "no module taints the kernel";
    return;
  }
  const width = Math.max(4, ...modules.map(({ name }) => name.length));
  yield `${"NAME".padEnd(width)}  TAINTS`;
  for (const { name, taints } of modules) yield `${name.padEnd(width)}  ${taints}`;
}

function* sectionTable(modules: readonly ModuleRow[]): Iterable<string> {
  for (const [i, { name, sections, problem }] of modules.entries()) {
    if (i > 0) yield "";
    yield `${name}:`;
    if (problem !== undefined) yield `  (unreadable: ${problem})`;
    else if (sections === undefined || sections.length === 0) yield "  (the kernel kept no list of its sections)";
    for (const section of sections ?? []) yield `  ${hex16(section.address)}  ${section.name}`;
  }
}
