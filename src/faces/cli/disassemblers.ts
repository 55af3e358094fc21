/**
 * The decoders of src/arch on Node: both libraries are CommonJS and find their WebAssembly beside themselves, so they are required at
 * run time from node_modules and stay outside the bundle.
 */
import { createRequire } from "node:module";
import { Arm64Disassembler, type CapstoneModule } from "../../arch/arm64-disassembler.ts";
import { setDisassemblerLoader } from "../../arch/disassembler.ts";
import { type IcedModule, X8664Disassembler } from "../../arch/x86-64-disassembler.ts";

/**
 * Registers the loaders, each of which makes a decoder with a memory of its own; costs nothing until loadDisassembler() is awaited (then 25
 * to 35 ms).
 */
export function registerDisassemblers(): void {
  const require = createRequire(import.meta.url);
  setDisassemblerLoader("x86_64", async () => {
    delete require.cache[require.resolve("iced-x86")];
    return new X8664Disassembler(require("iced-x86") as IcedModule);
  });
  setDisassemblerLoader("aarch64", async () => {
    const start = require("@alexaltea/capstone-js") as () => Promise<CapstoneModule>;
    return new Arm64Disassembler(await start());
  });
}
