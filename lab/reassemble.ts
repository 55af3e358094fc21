/** Turns a flattened dump back into a plain file with makedumpfile itself (`-R`), the amd64 one among the guests' tools. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureGuestTools, toolPath } from "./guest-tools.ts";
import { run } from "./process.ts";

/** Write the plain form of `flattened` to `plain`. */
export async function reassemble(flattened: string, plain: string): Promise<void> {
  const root = await ensureGuestTools("amd64");
  const libraries = ["lib", "usr/lib"].map((dir) => join(root, dir, "x86_64-linux-gnu")).filter((dir) => existsSync(dir));
  const loader = libraries.map((dir) => join(dir, "ld-linux-x86-64.so.2")).find((path) => existsSync(path));
  if (loader === undefined) throw new Error(`no loader in ${root}`);
  await run(loader, ["--library-path", libraries.join(":"), toolPath(root, "makedumpfile"), "-R", plain], { inputFile: flattened });
}
