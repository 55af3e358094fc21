// npm run layers: the layer law over the compiled output, and over the type-only imports of the sources, which compiling erases.
// Fails when fewer modules were seen than source files exist: a tool that looked at nothing must not report success.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { cruise } from "dependency-cruiser";
import config from "../.dependency-cruiser.mjs";
import { FLOORS } from "./floors.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);

const sources = readdirSync("src", { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
const problems = [];

for (const file of sources) {
  if (!existsSync(join("dist/src", file.replace(/\.ts$/, ".js")))) problems.push(`src/${file} is not compiled: run "npm run build" first`);
}

const { output } = await cruise(["dist/src"], {
  ruleSet: config,
  validate: true,
  doNotFollow: config.options.doNotFollow,
  moduleSystems: config.options.moduleSystems,
});
// Compiled files whose source is gone are leftovers of an earlier build and break no law.
const alive = new Set(sources.map((file) => join("dist/src", file.replace(/\.ts$/, ".js"))));
const seen = output.modules.filter((module) => alive.has(module.source)).length;
if (seen < sources.length) problems.push(`only ${seen} of ${sources.length} modules were seen`);
for (const { from, to, rule } of output.summary.violations) {
  if (alive.has(from)) problems.push(`${from} -> ${to}: ${rule.name}`);
}

for (const file of sources) {
  if (/\.test\.ts$|\/testing\//.test(file)) continue;
  const floor = FLOORS[file.split("/")[0]];
  if (floor === undefined) continue;
  const text = readFileSync(join("src", file), "utf8");
  for (const [, specifier] of text.matchAll(/(?:\bfrom\s*|\bimport\(\s*)["'](\.\.?\/[^"']+)["']/g)) {
    const target = relative("src", join("src", dirname(file), specifier)).split("/")[0];
    const allowed = [file.split("/")[0], ...floor.below, ...floor.types];
    if (FLOORS[target] !== undefined && !allowed.includes(target))
      problems.push(`src/${file} -> ${specifier}: ${file.split("/")[0]} may not import ${target}, not even its types`);
  }
}

for (const problem of problems) console.error(problem);
console.log(`layers: ${seen} modules, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
