// npm run docs: writes docs/commands.md from the specs of the compiled commands, docs/detectors.md from the compiled detectors.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { detectorManual } from "../dist/src/commands/support/detector-manual.js";
import { commandManual } from "../dist/src/commands/support/manual.js";
import { DETECTORS } from "../dist/src/diagnosis/detectors.js";
import { programRegistry } from "../dist/src/faces/cli/js.js";

const docs = (name) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
writeFileSync(docs("commands.md"), commandManual(programRegistry.all()));
writeFileSync(docs("detectors.md"), detectorManual(DETECTORS));
