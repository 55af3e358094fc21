// npm run docs: writes docs/commands.md from the specs of the compiled commands.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commandManual } from "../dist/src/commands/support/manual.js";
import { programRegistry } from "../dist/src/faces/cli/js.js";

const target = fileURLToPath(new URL("../docs/commands.md", import.meta.url));
writeFileSync(target, commandManual(programRegistry.all()));
