/**
 * Module hooks of `inquest script` (node:module register(), Node 20.6 on; they run on a thread of their own):
 *
 *   import … from "inquest"     ──resolve──►  this installation's library, wherever the script lies
 *   script.ts, and .ts files it imports  ──load──►  the same text with its types blanked out: lines and columns stay
 *   script.js                            ──load──►  always a module, whatever package.json lies around it
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** What registers the hooks tells them. */
export interface HookData {
  /** URL of the library's entry. */
  readonly library: string;
  /** URL of the script. */
  readonly script: string;
}

interface Resolved {
  readonly url: string;
  readonly shortCircuit?: boolean;
}

interface Loaded {
  readonly format: string;
  readonly source: string;
  readonly shortCircuit: boolean;
}

let data: HookData | undefined;

/** Called by Node with the data of register(). */
export function initialize(given: HookData): void {
  data = given;
}

/** Where a module is. */
export async function resolve(
  specifier: string,
  context: unknown,
  next: (specifier: string, context: unknown) => Promise<Resolved>,
): Promise<Resolved> {
  if (specifier === "inquest" && data !== undefined) return { url: data.library, shortCircuit: true };
  return next(specifier, context);
}

/** The text of a module. */
export async function load(url: string, context: unknown, next: (url: string, context: unknown) => Promise<Loaded>): Promise<Loaded> {
  const path = url.startsWith("file:") ? new URL(url).pathname : "";
  const typed = /\.m?ts$/.test(path);
  if (!typed && url !== data?.script) return next(url, context);
  const text = await readFile(fileURLToPath(url), "utf8");
  if (!typed) return { format: "module", source: text, shortCircuit: true };
  // Node 20 does not strip types, and not every newer one does; this is what Node's own stripping is made of.
  const { transformSync } = await import("@swc/wasm-typescript");
  const { code } = transformSync(text, { mode: "strip-only", module: true, filename: fileURLToPath(url) });
  return { format: "module", source: code, shortCircuit: true };
}
