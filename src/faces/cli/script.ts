/**
 * `inquest script FILE VMCORE [VMLINUX] [-- ARGUMENTS]`: runs a TypeScript or JavaScript module over an opened dump.
 *
 *   export default function (kernel, args) {       called with the opened kernel (library/kernel.ts); may be async
 *     return kernel.tasks().length;                what it returns is printed
 *   }
 *
 * A module without a default export does all by itself: `import { openDump } from "inquest"`.
 */
import { existsSync } from "node:fs";
import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InquestError, UsageError } from "../../bytes/errors.ts";
import { jsonChunks } from "../../commands/json.ts";
import type { Kernel } from "../../library/kernel.ts";
import type { openDump } from "../../library/open-dump.ts";
import { ScriptError } from "./script-error.ts";
import type { HookData } from "./script-hooks.ts";
import { showValue } from "./show-value.ts";
import { writeAll } from "./write-all.ts";

export const SCRIPT_USAGE = `\
Usage: inquest script FILE VMCORE [VMLINUX] [options] [-- ARGUMENTS]

Runs a TypeScript or JavaScript module. Its default export is called with the opened kernel and the arguments; what it
returns is printed. "inquest" can be imported from it.

  --json              print what it returns as one line of JSON
  --debug-dir DIR     a directory of debug files; may be repeated
  --no-debug-info     search for none
  --force-vmlinux     use the vmlinux although it is another kernel's
  --zero-excluded     memory that was left out of the dump reads as zeroes`;

export interface ScriptOptions {
  readonly script: string;
  readonly files: readonly string[];
  readonly args: readonly string[];
  readonly json: boolean;
  readonly debugDirectories: readonly string[];
  readonly search: boolean;
  readonly forceVmlinux: boolean;
  readonly zeroExcluded: boolean;
}

/** Parses the words after `script`. Throws UsageError. */
export function parseScriptOptions(words: readonly string[]): ScriptOptions {
  const end = words.indexOf("--");
  const own = end < 0 ? words : words.slice(0, end);
  const operands: string[] = [];
  const debugDirectories: string[] = [];
  const flags = new Set<string>();
  for (let i = 0; i < own.length; i++) {
    const word = own[i] as string;
    if (word === "--debug-dir") debugDirectories.push(own[++i] ?? fail("--debug-dir wants a directory"));
    else if (["--json", "--no-debug-info", "--force-vmlinux", "--zero-excluded"].includes(word)) flags.add(word);
    else if (word.startsWith("-")) fail(`unknown option ${word}; arguments of the script stand behind --`);
    else operands.push(word);
  }
  const [script, ...files] = operands;
  if (script === undefined) return fail("the script's file is missing");
  return {
    script,
    files,
    args: end < 0 ? [] : words.slice(end + 1),
    json: flags.has("--json"),
    debugDirectories,
    search: !flags.has("--no-debug-info"),
    forceVmlinux: flags.has("--force-vmlinux"),
    zeroExcluded: flags.has("--zero-excluded"),
  };
}

function fail(what: string): never {
  throw new UsageError(`script: ${what}`);
}

/** Set by scripts/bundle.mjs: code that V8 had compiled before cannot import by itself. */
declare const INQUEST_IMPORT: ((specifier: string) => Promise<unknown>) | undefined;

function importModule(specifier: string): Promise<unknown> {
  return typeof INQUEST_IMPORT === "function" ? INQUEST_IMPORT(specifier) : import(specifier);
}

/** The part of the library that is used here: the script must get objects of the very library that it imports. */
interface Library {
  readonly openDump: typeof openDump;
}

/**
 * Runs a script and prints what it returns. Throws InquestError; an error of the script itself becomes a ScriptError with its place.
 * @param library URL of the library's entry (dist/src/index.js)
 */
export async function runScript(options: ScriptOptions, library: URL): Promise<void> {
  const path = resolve(options.script);
  if (!existsSync(path)) throw new UsageError(`${options.script}: no such file`);
  const url = pathToFileURL(path).href;
  const data: HookData = { library: library.href, script: url };
  register(new URL("./faces/cli/script-hooks.js", library).href, { data });
  const { openDump: open } = (await importModule(library.href)) as Library;
  try {
    const module = (await importModule(url)) as { readonly default?: unknown };
    if (typeof module.default !== "function") {
      if (module.default !== undefined) throw new UsageError(`${options.script}: its default export is no function`);
      return;
    }
    if (options.files.length === 0) throw new UsageError("script: the dump's file is missing: this script wants an opened kernel");
    const { debugDirectories, search, forceVmlinux, zeroExcluded } = options;
    const kernel = await open(options.files, { debugDirectories, search, forceVmlinux, zeroExcluded });
    print(await (module.default as (kernel: Kernel, args: readonly string[]) => unknown)(kernel, options.args), options.json);
  } catch (error) {
    throw placed(error, path);
  }
}

function print(result: unknown, json: boolean): void {
  if (json) writeAll(1, `${jsonChunks(result).join("")}\n`);
  else if (result !== undefined) writeAll(1, `${showValue(result)}\n`);
}

/** Errors that have a place in the script say it; ours, thrown through it, too. */
function placed(error: unknown, path: string): unknown {
  if (!(error instanceof Error)) return new ScriptError(`${path}: threw ${String(error)}`);
  const url = pathToFileURL(path).href;
  const frame = (error.stack ?? "").split("\n").find((line) => line.includes(url) || line.includes(`(${path}:`));
  const place = /(:\d+:\d+)\)?$/.exec(frame ?? "")?.[1];
  // Of the library's copy of the class: the program would take it for a fault of its own.
  if (place === undefined && isOurs(error)) return error instanceof InquestError ? error : new UsageError(error.message);
  const name = isOurs(error) || error.name === "Error" ? "" : `${error.name}: `;
  return new ScriptError(`${path}${place ?? ""}: ${name}${error.message}`);
}

/** The library that scripts import is another copy of these classes than the program's own. */
function isOurs(error: Error): boolean {
  return error instanceof InquestError || ("kind" in error && typeof error.kind === "string");
}
