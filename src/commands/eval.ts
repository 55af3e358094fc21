/** `eval`: a number or expression in hexadecimal, decimal, octal and binary. */
import { UsageError } from "../bytes/errors.ts";
import { evalApi } from "./api/memory.ts";
import { type Command, defineCommand } from "./command.ts";
import { evaluate } from "./support/evaluate.ts";

export interface EvalResult {
  /** 64 bits. */
  readonly value: bigint;
  /** The same as a signed number, as text: it may exceed what a JSON number holds exactly. */
  readonly signed: string;
  readonly decimal: string;
  /** Highest first; only with -b. */
  readonly bitsSet?: readonly number[];
}

const WORD = (1n << 64n) - 1n;

export const evalCommand: Command<EvalResult> = defineCommand<EvalResult>({
  spec: {
    name: "eval",
    summary: "evaluate a number or expression",
    synopsis: ["[-b] [-l] (expression) | value"],
    description: [
      "Shows a value in hexadecimal (with its size in KB, MB or GB when it is a multiple), decimal, octal and binary. A value that is negative as a signed word also shows its signed decimal.",
      "Numbers are decimal, or hexadecimal with 0x or when they hold a-f; the suffixes k, m, g and t multiply by powers of 1024. Symbols stand for their addresses. Operators, weakest first: | ^ & << >> + - * / % and unary - + ~. An expression with | < > must stand in parentheses.",
    ],
    options: [
      { flag: "-b", help: "also list the bits that are set" },
      { flag: "-l", help: "evaluate in 64 bits (always so; accepted for habit)" },
    ],
    operands: ["symbol"],
    examples: [
      ["eval 128m", "a size"],
      ["eval (1 << 32) - 1", "an expression"],
      ["eval -b 1409", "which bits a flags word has"],
      ["eval (init_task + 0x10)", "an address"],
    ],
    differences: ["Symbols may be used anywhere in the expression."],
    minimal: true,
    rawLine: true,
  },
  run({ kernel }, { line }) {
    let rest = line;
    let bits = false;
    for (let option = /^-([bl]+)(\s+|$)/.exec(rest); option !== null; option = /^-([bl]+)(\s+|$)/.exec(rest)) {
      bits ||= (option[1] as string).includes("b");
      rest = rest.slice(option[0].length);
    }
    if (rest.trim() === "") throw new UsageError("usage: eval [-b] [-l] (expression) | value");
    const exact = evaluate(rest, { radix: 10, symbol: (name) => kernel.symbols.byName(name)?.address });
    if (exact > WORD || exact < -(1n << 63n)) throw new UsageError(`${rest.trim()} does not fit 64 bits`);
    const value = BigInt.asUintN(64, exact);
    return {
      value,
      signed: BigInt.asIntN(64, value).toString(),
      decimal: value.toString(),
      ...(bits ? { bitsSet: setBits(value) } : {}),
    };
  },
  api(session, args) {
    const { value, bitsSet } = evalCommand.run(session, args);
    return evalApi(session.kernel, args.line.replace(/^(-[bl]+\s+)*/, ""), value, bitsSet !== undefined);
  },
  *text({ value, signed, decimal, bitsSet }) {
    const size = sizeText(value);
    yield `hexadecimal: ${value.toString(16)}${size === undefined ? "" : `  (${size})`}`;
    yield `    decimal: ${decimal}${signed === decimal ? "" : `  (${signed})`}`;
    yield `      octal: ${value.toString(8)}`;
    yield `     binary: ${value.toString(2).padStart(64, "0")}`;
    if (bitsSet !== undefined) yield `   bits set: ${bitsSet.join(" ")}`;
  },
});

function setBits(value: bigint): number[] {
  const bits: number[] = [];
  for (let bit = 63; bit >= 0; bit--) if (((value >> BigInt(bit)) & 1n) === 1n) bits.push(bit);
  return bits;
}

/** "128MB" when the value is a whole number of GB, MB or KB. */
function sizeText(value: bigint): string | undefined {
  for (const [shift, unit] of [
    [30n, "GB"],
    [20n, "MB"],
    [10n, "KB"],
  ] as const) {
    const count = value >> shift;
    if (count > 0n && count << shift === value) return `${count}${unit}`;
  }
  return undefined;
}
