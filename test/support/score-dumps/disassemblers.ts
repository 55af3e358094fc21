/** Both machines' disassemblers, which diagnosis and commands want at hand. */
import { loadDisassembler } from "../../../src/arch/disassembler.ts";
import { registerDisassemblers } from "../../../src/faces/cli/disassemblers.ts";

export async function loadDisassemblers(): Promise<void> {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
}
