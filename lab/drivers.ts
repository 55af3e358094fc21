/**
 * The kernel's own modules a guest needs, in an order insmod can take: dependencies come from each module's own `depends=` string, so no
 * depmod is needed on the host.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Kernel } from "./kernels.ts";
import { run } from "./process.ts";

export interface Driver {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function moduleName(file: string): string {
  return basename(file)
    .replace(/\.ko(\.xz|\.zst|\.gz)?$/, "")
    .replaceAll("-", "_");
}

function allModules(dir: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(join(dir, "kernel"), { recursive: true, withFileTypes: true })) {
    if (/\.ko(\.xz|\.zst|\.gz)?$/.test(entry.name)) found.set(moduleName(entry.name), join(entry.parentPath, entry.name));
  }
  return found;
}

async function readModule(path: string): Promise<Uint8Array> {
  const program = path.endsWith(".xz") ? "xz" : path.endsWith(".zst") ? "zstd" : path.endsWith(".gz") ? "gzip" : undefined;
  return program === undefined ? readFileSync(path) : (await run(program, ["-d", "-c", path])).stdout;
}

/** The names in a module's `depends=` string. */
export function dependsOf(module: Uint8Array): string[] {
  const bytes = Buffer.from(module.buffer, module.byteOffset, module.byteLength);
  const at = bytes.indexOf("\0depends=");
  if (at < 0) return [];
  const start = at + "\0depends=".length;
  const text = bytes.toString("latin1", start, bytes.indexOf(0, start));
  return text
    .split(",")
    .filter(Boolean)
    .map((name) => name.replaceAll("-", "_"));
}

/** The wanted modules and what they depend on, dependencies first. A module the kernel has built in is passed over. */
export async function driversFor(kernel: Kernel, wanted: readonly string[]): Promise<Driver[]> {
  const available = allModules(kernel.modulesDir);
  const ordered = new Map<string, Driver>();
  const visit = async (name: string): Promise<void> => {
    const path = available.get(name);
    if (path === undefined || ordered.has(name)) return;
    const bytes = await readModule(path);
    for (const dependency of dependsOf(bytes)) await visit(dependency);
    ordered.set(name, { name, bytes });
  };
  for (const name of wanted) await visit(name);
  return [...ordered.values()];
}
