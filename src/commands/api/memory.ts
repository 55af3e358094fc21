/** `--api`: library code for memory and addresses (rd, x, vtop, ptov, ptob, btop, ascii, eval, dis). */
import { InquestError } from "../../bytes/errors.ts";
import { evaluateExpression } from "../../kernel/expression/evaluate.ts";
import { kernelScope } from "../../kernel/expression/scope.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { literal } from "../api-code.ts";
import type { ParsedArguments } from "../arguments.ts";
import type { Session } from "../command.ts";

/** Code of an address that was typed: a symbol stays one, so that the code fits another dump of the kernel. */
export function addressCode(kernel: Kernel, text: string, address: bigint): string {
  const name = /^&?([A-Za-z_$][\w$.]*)$/.exec(text)?.[1];
  const symbol = name === undefined ? undefined : kernel.symbols.byName(name);
  return symbol?.address === address ? `kernel.symbol(${literal(symbol.name)}).address` : literal(address);
}

/** Value of a C expression without the session's own names; undefined where it has none. */
export function scalarOf(kernel: Kernel, text: string): bigint | undefined {
  try {
    return BigInt.asUintN(64, evaluateExpression(text, kernelScope(kernel)).bigint());
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

const RD_OPTIONS = ["-p", "-8", "-16", "-32", "-64", "-d", "-D", "-x"];

/** rd: words, and -r. @param typed the place as it was typed; @param count of words, or of bytes with -r */
export function rdApi(
  { kernel }: Session,
  args: ParsedArguments,
  { typed, address, bits, count, flags }: { typed: string; address: bigint; bits: number; count: number; flags: readonly string[] },
): string | undefined {
  const file = args.value("-r");
  if (flags.some((flag) => args.has(flag) && flag !== "-r" && !RD_OPTIONS.includes(flag))) return undefined;
  const memory = args.has("-p") ? "kernel.physical" : "kernel.memory";
  if (!args.has("-p") && !kernel.arch.isKernelAddress(address)) return undefined;
  const start = args.has("-p") ? literal(address) : addressCode(kernel, typed, address);
  if (file !== undefined)
    return `const { writeFileSync } = await import("node:fs");
const bytes = ${memory}.bytes(${start}, ${count});
writeFileSync(${literal(file)}, bytes);
return { save: { file: ${literal(file)}, length: bytes.length } };`;
  const size = bits / 8;
  return `const address = ${start};
const word = (i) => BigInt(${memory}.u${bits}(address + BigInt(i * ${size})));
const rows = [];
for (let i = 0; i < ${count}; i += ${16 / size}) {
  const words = Array.from({ length: Math.min(${16 / size}, ${count} - i) }, (_, k) => word(i + k));
  rows.push({ address: address + BigInt(i * ${size}), words });
}
return { address, bits: ${bits}, rows };`;
}

/** x: words in hexadecimal, and instructions. */
export function xApi(kernel: Kernel, what: { readonly text: string; letter: string; size: number; count: number }): string | undefined {
  const { text, letter, size, count } = what;
  const value = text === "" ? undefined : placeOf(kernel, text);
  if (value === undefined || count < 1) return undefined;
  const start = addressCode(kernel, text, value);
  if (letter === "i")
    return `const lines = await kernel.disassemble(${start}, ${count});
return { letter: "i", lines: lines.map(({ address, symbol }) => ({ address, symbol })) };`;
  if (letter !== "x") return undefined;
  const perLine = size === 8 ? 2 : size === 4 ? 4 : 8;
  return `const start = ${start};
const word = (i) => \`0x\${kernel.memory.u${size * 8}(start + BigInt(i * ${size})).toString(16).padStart(${size * 2}, "0")}\`;
const lines = [];
for (let i = 0; i < ${count}; i += ${perLine}) {
  const values = Array.from({ length: Math.min(${perLine}, ${count} - i) }, (_, k) => word(i + k));
  lines.push({ address: start + BigInt(i * ${size}), values });
}
return { letter: "x", size: ${size}, lines };`;
}

/** Where an expression leads that x was given. */
function placeOf(kernel: Kernel, text: string): bigint | undefined {
  const scalar = scalarOf(kernel, text);
  if (scalar !== undefined) return scalar;
  try {
    return evaluateExpression(text, kernelScope(kernel)).address;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** vtop of kernel addresses. */
export function vtopApi(kernel: Kernel, operands: readonly { readonly text: string; readonly address: bigint }[]): string | undefined {
  if (operands.some(({ address }) => !kernel.arch.isKernelAddress(address))) return undefined;
  const addresses = operands.map(({ text, address }) => addressCode(kernel, text, address));
  return `const addresses = [${addresses.join(", ")}].map((virtual) => {
  const { physical, steps } = kernel.pageWalk(virtual);
  return { virtual, physical, walk: steps.map(({ level, entry }) => ({ level, value: entry })) };
});
return { addresses };`;
}

/** ptov. @param perCpu offsets with their CPUs */
export function ptovApi(
  physical: readonly bigint[],
  perCpu: readonly { readonly offset: bigint; readonly cpus: readonly number[] }[],
): string {
  const areas = perCpu.map(
    ({ offset, cpus }) =>
      `  { offset: ${literal(offset)}, cpus: [${cpus.join(", ")}].map((cpu) => ({ cpu, virtual: kernel.perCpuAddress(${literal(offset)}, cpu) })) },\n`,
  );
  return `const addresses = [${physical.map(literal).join(", ")}].map((physical) => ({ virtual: kernel.linearAddress(physical), physical }));
${areas.length === 0 ? "const perCpu = [];" : `const perCpu = [\n${areas.join("")}];`}
return { addresses, perCpu };`;
}

/** btop and ptob: a shift. */
export function pagesApi(from: "address" | "pfn", numbers: readonly bigint[]): string {
  const [to, sign] = from === "address" ? ["pfn", "/"] : ["address", "*"];
  return `const pageSize = BigInt(kernel.engine.arch.pageSize);
return { pages: [${numbers.map(literal).join(", ")}].map((${from}) => ({ ${from}, ${to}: ${from} ${sign} pageSize })) };`;
}

/** ascii of printable words. */
export function asciiApi(words: readonly { readonly value: bigint; readonly text: string }[]): string | undefined {
  if (words.some(({ text }) => text.length !== 8)) return undefined;
  return `const byte = (word, i) => Number((word >> BigInt(8 * i)) & 0xffn);
const text = (word) => String.fromCharCode(...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => byte(word, i)));
return { words: [${words.map(({ value }) => literal(value)).join(", ")}].map((value) => ({ value, text: text(value) })) };`;
}

/** eval, where C has the same value for the text. */
export function evalApi(kernel: Kernel, text: string, value: bigint, bits: boolean): string {
  const code = scalarOf(kernel, text) === value ? `kernel.expression(${literal(text)}).bigint()` : literal(value);
  const set = bits ? ", bitsSet" : "";
  return `const value = BigInt.asUintN(64, ${code});
${bits ? "const bitsSet = Array.from({ length: 64 }, (_, i) => 63 - i).filter((bit) => (value >> BigInt(bit)) & 1n);\n" : ""}return { value, signed: BigInt.asIntN(64, value).toString(), decimal: value.toString()${set} };`;
}

/** dis of a function, or of some instructions. */
export function disApi(args: ParsedArguments): string | undefined {
  if (["-r", "-f", "-l", "-s", "-u", "-b"].some((flag) => args.has(flag))) return undefined;
  const [where, count] = args.operands;
  if (where === undefined) return undefined;
  return `return { lines: await kernel.disassemble(${literal(where)}${count === undefined ? "" : `, ${Number(count)}`}) };`;
}
