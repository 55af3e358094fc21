/**
 * `extend`: command files. A file is a TypeScript or JavaScript module that exports one command or several (library/extension.ts); its
 * commands are then commands like all others, with help, completion, --json and foreach's context.
 *
 *   extend FILE ──prepareExtensions: import──► modules ──run──► registry
 *
 * Importing is asynchronous, so the runner awaits it before the command runs. A file is trusted as a script of one's own is: a start-up
 * file of the working directory may load none.
 */
import { existsSync } from "node:fs";
import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InquestError, UsageError } from "../../bytes/errors.ts";
import { type Command, type CommandRegistry, defineCommand, type Session } from "../../commands/command.ts";
import { createRegistry } from "../../commands/registry.ts";
import { splitWords } from "../../commands/support/words.ts";
import type { Extension } from "../../library/extension.ts";
import { Kernel } from "../../library/kernel.ts";
import type { HookData } from "./script-hooks.ts";
import { showValue } from "./show-value.ts";

/** Set by scripts/bundle.mjs: code that V8 had compiled before cannot import by itself. */
declare const INQUEST_IMPORT: ((specifier: string) => Promise<unknown>) | undefined;

/** What a command may be called. */
const NAME = /^[A-Za-z_][\w-]*$/;

interface LoadedFile {
  readonly file: string;
  readonly commands: readonly Command[];
}

export interface ExtendResult {
  readonly loaded: readonly { readonly file: string; readonly commands: readonly string[] }[];
}

/** The commands of the program, and those that files add. One a program, as its sessions share the registry. */
export class ExtensibleRegistry implements CommandRegistry {
  readonly #base: CommandRegistry;
  #files: readonly LoadedFile[] = [];
  #all: CommandRegistry;
  /** Imported, waiting for `extend` to run; by absolute path. */
  readonly imported = new Map<string, readonly Extension[] | InquestError>();

  constructor(base: readonly Command[]) {
    this.#base = createRegistry(base);
    this.#all = this.#base;
  }

  find(name: string): Command | undefined {
    return this.#all.find(name);
  }

  all(): readonly Command[] {
    return this.#all.all();
  }

  get files(): readonly LoadedFile[] {
    return this.#files;
  }

  /** Adds a file's commands, in place of those it gave before. Throws UsageError when a name is taken. */
  add(file: string, extensions: readonly Extension[]): void {
    const others = this.#files.filter((each) => each.file !== file);
    const commands = extensions.map((extension) => asCommand(extension, file));
    const taken = new Set([...this.#base.all(), ...others.flatMap((each) => each.commands)].flatMap(({ spec }) => names(spec)));
    for (const { spec } of commands) {
      if (taken.has(spec.name)) throw new UsageError(`${file}: there is a command called ${spec.name} already`);
      taken.add(spec.name);
    }
    this.#set([...others, { file, commands }]);
  }

  /** Takes a file's commands away. Throws UsageError when it was not loaded. */
  remove(file: string): void {
    if (!this.#files.some((each) => each.file === file)) throw new UsageError(`${file} is not loaded`);
    this.#set(this.#files.filter((each) => each.file !== file));
  }

  #set(files: readonly LoadedFile[]): void {
    this.#files = files;
    this.#all = createRegistry([...this.#base.all(), ...files.flatMap(({ commands }) => commands)]);
  }
}

function names({ name, aliases = [] }: Command["spec"]): string[] {
  return [name, ...aliases];
}

/** The command. @param registry asked when it runs, so that the registry may hold the command itself */
export function extendCommand(registry: () => ExtensibleRegistry): Command {
  return defineCommand<ExtendResult>({
    spec: {
      name: "extend",
      summary: "load command files",
      synopsis: ["[file…]", "-u [file…]"],
      description: [
        "Loads TypeScript or JavaScript files that add commands; without a file it lists what is loaded. A file that is loaded again replaces what it gave before: edit it and repeat the line.",
        'A file exports one command, or an array of them, by default: an object with name, summary, run(kernel, args) and, if wished, text(result), synopsis, description, options and examples. `import { defineExtension } from "inquest"` types it; kernel is the library\'s (docs/library.md). examples/commands/threads.ts is one.',
        "Lines `extend FILE` in ~/.inquestrc load files at each start.",
      ],
      options: [{ flag: "-u", help: "unload these files, or all" }],
      operands: ["file"],
      examples: [
        ["extend examples/commands/threads.ts", "adds the command threads"],
        ["extend -u", "takes all added commands away"],
      ],
      differences: ["Extensions are TypeScript or JavaScript; crash's shared objects (.so) cannot be loaded."],
      minimal: true,
    },
    run(_session, args) {
      const known = registry();
      const files = args.operands.map((file) => resolve(file));
      if (args.has("-u")) for (const file of files.length > 0 ? files : known.files.map(({ file: each }) => each)) known.remove(file);
      else
        for (const file of files) {
          const extensions = known.imported.get(file) ?? new UsageError(`${file} was not read`);
          if (extensions instanceof InquestError) throw extensions;
          known.add(file, extensions);
        }
      return { loaded: known.files.map(({ file, commands }) => ({ file, commands: commands.map(({ spec }) => spec.name) })) };
    },
    *text({ loaded }) {
      if (loaded.length === 0) yield "no command files are loaded";
      for (const { file, commands } of loaded) yield `${file}: ${commands.join(" ")}`;
    },
    api: () => "// Commands are of the prompt; a script imports what it needs.",
  }) as Command;
}

/** Imports the files of an `extend` line; what fails is told when the command runs. @param library URL of the library's entry */
export async function prepareExtensions(registry: ExtensibleRegistry, line: string, library: () => URL): Promise<void> {
  const words = splitWords(line).map(({ text }) => text);
  if (words.includes("-u") || words.includes("--api")) return;
  for (const path of words.filter((word) => !word.startsWith("-"))) {
    const file = resolve(path);
    try {
      registry.imported.set(file, await importExtensions(file, library()));
    } catch (error) {
      registry.imported.set(
        file,
        error instanceof InquestError ? error : new UsageError(`${path}: ${error instanceof Error ? error.message : String(error)}`),
      );
    }
  }
}

/** Files are imported anew each time. */
let generation = 0;

async function importExtensions(file: string, library: URL): Promise<readonly Extension[]> {
  if (file.endsWith(".so")) throw new UsageError(`${file}: crash's extensions cannot be loaded; see help extend`);
  if (!existsSync(file)) throw new UsageError(`${file}: no such file`);
  const url = `${pathToFileURL(file).href}?${++generation}`;
  const data: HookData = { library: library.href, script: url };
  register(new URL("./faces/cli/script-hooks.js", library).href, { data });
  const module = (await (typeof INQUEST_IMPORT === "function" ? INQUEST_IMPORT(url) : import(url))) as { readonly default?: unknown };
  const given = Array.isArray(module.default) ? module.default : [module.default];
  return given.map((each) => checked(file, each));
}

function checked(file: string, given: unknown): Extension {
  const wrong = (what: string) => new UsageError(`${file}: ${what}; see help extend`);
  if (typeof given !== "object" || given === null) throw wrong("its default export is no command");
  const { name, summary, run } = given as Partial<Extension>;
  if (typeof name !== "string" || !NAME.test(name)) throw wrong("its command has no name of one word");
  if (typeof summary !== "string") throw wrong(`its command ${name} has no summary`);
  if (typeof run !== "function") throw wrong(`its command ${name} has no run()`);
  return given as Extension;
}

/** A command like all others. */
function asCommand(extension: Extension, file: string): Command {
  const { name, summary } = extension;
  return defineCommand<unknown>({
    spec: {
      name,
      summary,
      synopsis: extension.synopsis ?? [""],
      description: [...(extension.description ?? []), `Loaded from ${file}.`],
      options: extension.options ?? [],
      ...(extension.examples === undefined ? {} : { examples: extension.examples }),
      needsDisassembler: true,
    },
    run(session: Session, args) {
      const result = guarded(file, () => extension.run(new Kernel(session.kernel), args));
      if (result instanceof Promise) throw new UsageError(`${file}: ${name} answers with a promise; a command must be synchronous`);
      return result;
    },
    *text(result) {
      const lines = extension.text === undefined ? undefined : guarded(file, () => extension.text?.(result));
      if (lines === undefined) {
        if (result !== undefined) yield* showValue(result).split("\n");
        return;
      }
      const walk = lines[Symbol.iterator]();
      for (;;) {
        const next = guarded(file, () => walk.next());
        if (next.done === true) return;
        yield String(next.value);
      }
    },
    api: () => `// ${name} comes from the file ${JSON.stringify(file)}: import it, its run(kernel, args) gives the data.`,
  }) as Command;
}

/** Faults of the file are told with their place; errors of the engine as they are. */
function guarded<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof InquestError) throw error;
    if (!(error instanceof Error)) throw new UsageError(`${file}: threw ${String(error)}`);
    if ("code" in error && error.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED") throw error;
    // The library that the file imports has classes of its own.
    if ("kind" in error && typeof error.kind === "string") throw new UsageError(error.message);
    const place = new RegExp(`${file.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\?\\d+(:\\d+:\\d+)`).exec(error.stack ?? "")?.[1] ?? "";
    throw new UsageError(`${file}${place}: ${error.name}: ${error.message}`);
  }
}
