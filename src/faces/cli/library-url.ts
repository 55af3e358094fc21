/** Where this installation's library is: what scripts and command files import as "inquest". */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../bytes/errors.ts";

/** URL of the library beside this program: of the bundle in dist/, or of the compiled sources. */
export function libraryUrl(program: string): URL {
  const here = new URL(program);
  const candidates = ["./src/inquest.mjs", "./src/index.js", "../src/index.js", "../../index.js"].map((path) => new URL(path, here));
  const found = candidates.find((url) => existsSync(fileURLToPath(url)));
  if (found === undefined) throw new UsageError("the library is not built: run npm run build");
  return found;
}
