/** `mod`: loaded modules. */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError } from "../bytes/errors.ts";
import { MODULES_BROKEN } from "../kernel/modules.ts";
import { type ModuleSection, moduleSections } from "../linux/module-sections.ts";
import { taintLetters } from "../linux/taint.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand } from "./command.ts";
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

const NOT_READ = "debug files of modules are not read yet; symbols and types come from the dump itself";

/** enum module_state. */
const STATES = ["live", "coming", "going", "unformed"];

export const mod = defineCommand<ModResult>({
  spec: {
    name: "mod",
    summary: "loaded modules",
    synopsis: ["[module]…", "-t [module]…", "-g [module]…", "-s module [objfile] | -d module | -S [directory] | -D"],
    description: [
      "Lists the modules that were loaded: address of the struct module, name, start of the text, size. Symbols come from each module's own table in the dump and types from its BTF: nothing has to be loaded.",
    ],
    options: [
      { flag: "-t", help: "only modules that taint the kernel, with the letters" },
      { flag: "-g", help: "the sections of each module and where they lie" },
      {
        flag: "-s",
        argument: "module",
        help: "accepted, and shows the module: its symbols and types are there without its debug file, which is not read yet",
      },
      { flag: "-S", help: "the same for all modules" },
      { flag: "-d", argument: "module", help: "accepted: there is nothing to forget" },
      { flag: "-D", help: "the same for all modules" },
      { flag: "-r", help: "accepted with -s and -S" },
      { flag: "-R", help: "read the list again on a live system" },
      { flag: "-o", help: "accepted with -s and -S" },
    ],
    operands: ["module"],
    examples: [
      ["mod", "the list"],
      ["mod -t", "which modules taint, and how"],
      ["mod -g loop", "where the sections of loop lie"],
    ],
    differences: [
      "-g lists the sections that the kernel recorded; it needs no debug file.",
      "-s and -S, which people's start files hold, load nothing and say so: debug files of modules are not read yet.",
    ],
  },
  run({ kernel }, args) {
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
    const view = args.has("-t") ? "taints" : args.has("-g") ? "sections" : "list";
    const modules = chosen.map((module): ModuleRow => {
      const row = {
        name: module.name,
        address: module.address,
        base: module.base,
        size: module.size,
        taints: taintLetters(module.taints),
        state: STATES[module.state] ?? String(module.state),
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
    const notes = ["-s", "-S", "-d", "-D"].some((flag) => args.has(flag)) ? [NOT_READ] : [];
    if (broken !== undefined && wanted.length === 0) notes.push(broken);
    const textBase = kernel.types.tryStruct("module_memory") !== undefined;
    return { modules: shown, view, textBase, notes, toJSON: () => ({ modules: shown, ...(notes.length === 0 ? {} : { notes }) }) };
  },
  *text({ modules, view, textBase, notes }) {
    if (view === "taints") yield* taintTable(modules);
    else if (view === "sections") yield* sectionTable(modules);
    else if (modules.length === 0) yield "no modules are loaded";
    else yield* moduleTable(modules, textBase);
    for (const note of notes) yield `(${note})`;
  },
});

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
    yield `${hex16(module.address)}  ${module.name.padEnd(nameWidth)}  ${baseText(module.base)}  ${String(module.size).padStart(sizeWidth)}  (not loaded)  [CONFIG_KALLSYMS]${state}`;
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
