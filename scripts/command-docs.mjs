// npm run docs: writes docs/commands.md from the specs of the compiled commands.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commandRegistry } from "../dist/src/commands/registry.js";
import { commandManual } from "../dist/src/commands/support/manual.js";

const target = fileURLToPath(new URL("../docs/commands.md", import.meta.url));
writeFileSync(target, commandManual(commandRegistry.all()));
