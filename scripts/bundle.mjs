// Makes dist/inquest.js: the command-line program as one file, so that it starts in milliseconds. Disassemblers stay outside: they are
// large, wanted by few commands, and load their WebAssembly from beside themselves in node_modules.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const { version } = JSON.parse(await readFile(`${root}/package.json`, "utf8"));

await build({
  absWorkingDir: root,
  entryPoints: ["src/faces/cli/main.ts"],
  outfile: process.argv[2] ?? "dist/inquest.js",
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  external: ["iced-x86", "@alexaltea/capstone-js"],
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  legalComments: "none",
  define: { INQUEST_VERSION: JSON.stringify(version) },
  // Packages written for CommonJS (commander) ask for node's modules through require().
  banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  logLevel: "warning",
});
