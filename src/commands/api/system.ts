/** `--api`: library code for the machine, its log, modules and symbols (sys, mach, log, mod, sym, info). */
import type { Kernel } from "../../kernel/kernel.ts";
import { literal } from "../api-code.ts";
import type { ParsedArguments } from "../arguments.ts";

/** sys, and its taints. */
export function sysApi(args: ParsedArguments): string | undefined {
  if (args.has("-t"))
    return `const mask = kernel.memory.u64(kernel.symbol("tainted_mask").address);
return { taint: { mask, letters: kernel.taintLetters(mask) } };`;
  return args.has("-i") || args.has("-c") || args.has("-panic") || args.operands.length > 0 ? undefined : "return kernel.system;";
}

/** mach. @param cpus with data of their own */
export function machApi(kernel: Kernel, args: ParsedArguments, cpus: readonly number[]): string | undefined {
  if (args.has("-o")) return undefined;
  const map = args.has("-m") ? "map: kernel.memoryMap" : "";
  if (!args.has("-c")) return `return { ${map === "" ? "facts: kernel.machine" : map} };`;
  const [symbol, type] = kernel.arch.name === "x86_64" ? ["cpu_info", "struct cpuinfo_x86"] : ["cpu_data", "struct cpuinfo_arm64"];
  return `const { address } = kernel.symbol(${literal(symbol as string)});
const value = (cpu) => kernel.object(${literal(type as string)}, kernel.perCpuAddress(address, cpu)).node();
return { ${map === "" ? "" : `${map}, `}cpuInfo: [${cpus.join(", ")}].map((cpu) => ({ cpu, value: value(cpu) })) };`;
}

/** log, but for the buffers beside it. */
export function logApi(args: ParsedArguments): string | undefined {
  if (args.has("-a") || args.has("-s") || args.has("-R") || args.has("--objects")) return undefined;
  return `const seconds = (nanoseconds) => (nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e9);
const records = kernel.log().map(({ nanoseconds, level, caller, text }) => ({ seconds: seconds(nanoseconds), level, caller, text }));
return { records };`;
}

/** mod: the list and the taints. */
export function modApi(args: ParsedArguments): string | undefined {
  if (["-g", "-s", "-S", "-d", "-D", "-R"].some((flag) => args.has(flag))) return undefined;
  const conditions = [
    ...(args.operands.length === 0 ? [] : [`${JSON.stringify(args.operands)}.includes(name)`]),
    ...(args.has("-t") ? ["taints !== 0n"] : []),
  ];
  const parameter = [...(args.operands.length === 0 ? [] : ["name"]), ...(args.has("-t") ? ["taints"] : [])].join(", ");
  const filter = conditions.length === 0 ? "" : `.filter(({ ${parameter} }) => ${conditions.join(" && ")})`;
  return `const modules = [...kernel.modules]${filter}.sort((a, b) => (a.base < b.base ? -1 : 1));
const row = ({ name, address, base, size, taints }) => ({ name, address, base, size, taints: kernel.taintLetters(taints) });
return { modules: modules.map(row) };`;
}

const ENTRY = "const entry = ({ name, address, module, type }) => ({ name, address, offset: 0, module: module ?? null, type });";

/** sym. @param found what each operand means: a name, or an address */
export function symApi(args: ParsedArguments, found: readonly (string | bigint)[]): string | undefined {
  if (args.has("-n") || args.has("-p")) return undefined;
  if (args.has("-l") || args.has("-q"))
    return `${ENTRY}\nreturn { symbols: kernel.symbols(${literal(args.value("-q") ?? "")}).map(entry) };`;
  if (args.has("-M") || args.has("-m")) {
    const name = args.value("-m");
    const filter = name === undefined ? "" : `.filter((module) => module.name === ${literal(name)})`;
    return `${ENTRY}
const tables = [...kernel.modules]${filter}.sort((a, b) => (a.base < b.base ? -1 : 1)).map((module) => module.symbols());
return { symbols: tables.flatMap((table) => Array.from({ length: table?.count ?? 0 }, (_, i) => entry(table.at(i)))) };`;
  }
  const parts = found.map((each) =>
    typeof each === "string"
      ? `...kernel.symbols(${literal(each)}).filter(({ name }) => name === ${literal(each)}).map(entry)`
      : `containing(${literal(each)})`,
  );
  const named = found.some((each) => typeof each === "string") ? `${ENTRY}\n` : "";
  const containing = found.some((each) => typeof each === "bigint")
    ? `const containing = (address) => {
  const { symbol, offset } = kernel.symbolAt(address);
  return { name: symbol.name, address, offset, module: symbol.module ?? null, type: symbol.type };
};\n`
    : "";
  return `${named}${containing}return { symbols: [${parts.join(", ")}] };`;
}

/** info symbol and info address. @param data what the command says */
export function symbolInfoApi(
  topic: string,
  data: { readonly address?: bigint; readonly name?: string; readonly symbol?: string | null },
): string | undefined {
  if (topic === "symbol" && data.address !== undefined && data.symbol !== null)
    return `const address = ${literal(data.address)};
const found = kernel.symbolAt(address);
return { topic: "symbol", data: { address, symbol: found?.symbol.name ?? null, offset: found?.offset, module: found?.symbol.module ?? null } };`;
  if (topic === "address" && data.name !== undefined)
    return `const { name, address } = kernel.symbol(${literal(data.name)});
return { topic: "address", data: { name, address } };`;
  return undefined;
}
