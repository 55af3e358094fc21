// Makes the command-line program so that it starts in milliseconds:
//
//   dist/inquest.js            starts it: hands the bundle to V8 together with its compiled code, where that is at hand
//   dist/inquest.cjs           the program and all its packages as one file
//   dist/inquest-worker.cjs    what other threads run
//   dist/src/inquest.mjs       the library as one module (and what it loads later): what `import "inquest"` gets, in a third of the time
//   dist/inquest.HASH.cache    what V8 compiled in a trial run; made on this machine, ignored by another V8 (saves 20 to 30 ms a start)
//
// Disassemblers stay outside: they are large, wanted by few commands, and load their WebAssembly from beside themselves in node_modules.
// `node scripts/bundle.mjs FILE.js` writes to another place, without the compiled code.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const starter = resolve(process.argv[2] ?? join(root, "dist/inquest.js"));
const bundle = starter.replace(/\.js$/, ".cjs");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const worker = starter.replace(/\.js$/, "-worker.cjs");
const options = {
  absWorkingDir: root,
  write: false,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["@swc/wasm-typescript", "iced-x86", "@alexaltea/capstone-js"],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  define: {
    INQUEST_VERSION: JSON.stringify(version),
    INQUEST_WORKER: JSON.stringify(`./${basename(worker)}`),
    INQUEST_IMPORT: "__import",
    "import.meta.url": "__importMetaUrl",
  },
  banner: { js: 'const __importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  logLevel: "warning",
};
const [text, workerText] = await Promise.all(
  [
    ["src/faces/cli/main.ts", bundle],
    ["src/faces/index-worker.ts", worker],
  ].map(async ([entry, outfile]) => (await build({ ...options, entryPoints: [entry], outfile })).outputFiles[0].text),
);
const hash = createHash("sha256").update(text).digest("hex").slice(0, 16);
const cache = join(dirname(bundle), `${basename(bundle, ".cjs")}.${hash}.cache`);

// V8 knows a script by its length alone, so the compiled code of another bundle must never be found: its name holds the bundle's hash.
const startText = `#!/usr/bin/env node
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, Script } from "node:vm";

const file = fileURLToPath(new URL(${JSON.stringify(`./${basename(bundle)}`)}, import.meta.url));
const cache = fileURLToPath(new URL(${JSON.stringify(`./${basename(cache)}`)}, import.meta.url));
let cachedData;
try {
  cachedData = readFileSync(cache);
} catch {
  // Not made on this machine: V8 compiles the bundle.
}
const script = new Script("(function (require, module, exports, __filename, __dirname, __import) {" + readFileSync(file, "utf8") + "\\n})", {
  filename: file,
  cachedData,
  importModuleDynamically: constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
if (process.env.INQUEST_WRITE_CODE_CACHE === "1") process.on("exit", () => writeFileSync(cache, script.createCachedData()));
const module = { exports: {} };
script.runInThisContext()(createRequire(file), module, module.exports, file, dirname(file), (specifier) => import(specifier));
`;

mkdirSync(dirname(bundle), { recursive: true });
for (const name of readdirSync(dirname(bundle))) {
  if (name.startsWith(`${basename(bundle, ".cjs")}.`) && name.endsWith(".cache")) rmSync(join(dirname(bundle), name), { force: true });
}
// Renamed into place, so that a program started meanwhile sees the old files or the new ones.
for (const [path, content] of [
  [worker, workerText],
  [bundle, text],
  [starter, startText],
]) {
  writeFileSync(`${path}.${process.pid}`, content);
  renameSync(`${path}.${process.pid}`, path);
}

if (process.argv[2] === undefined) {
  // In the directory of the compiled sources: what the library finds beside itself (its worker, the script hooks) is there.
  const { outputFiles } = await build({
    ...options,
    entryPoints: { inquest: "src/index.ts" },
    outdir: join(root, "dist/src"),
    outExtension: { ".js": ".mjs" },
    chunkNames: "inquest-[name]-[hash]",
    format: "esm",
    splitting: true,
    define: {},
    banner: {},
  });
  const written = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const { path, contents } of outputFiles) {
    writeFileSync(`${path}.${process.pid}`, contents);
    renameSync(`${path}.${process.pid}`, path);
  }
  for (const name of readdirSync(join(root, "dist/src"))) {
    if (/^inquest-.*\.mjs$/.test(name) && !written.has(name)) rmSync(join(root, "dist/src", name), { force: true });
  }
}

if (process.argv[2] === undefined) {
  const samples = join(root, "samples");
  const trial = readdirSync(samples, { recursive: true })
    .map((name) => join(samples, String(name)))
    .sort()
    .find((path) => /x86|amd64/.test(path) && statSync(path).isFile() && statSync(path).size > 1 << 20);
  const words =
    trial === undefined
      ? ["--version"]
      : [trial, "-s", "--no-rc", ...["sys", "bt", "ps", "log", "mod", "foreach bt -s"].flatMap((command) => ["-c", command])];
  spawnSync(process.execPath, [starter, ...words], {
    stdio: "ignore",
    env: { ...process.env, INQUEST_WRITE_CODE_CACHE: "1" },
    timeout: 60_000,
  });
}
