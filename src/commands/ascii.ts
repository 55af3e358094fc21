/** `ascii`: the characters in a hexadecimal word, or a chart of ASCII. */

import { asciiApi } from "./api/memory.ts";
import { defineCommand } from "./command.ts";
import { parseHex } from "./support/numbers.ts";

export interface AsciiResult {
  /** One per operand; empty when the chart is wanted. */
  readonly words: readonly { readonly value: bigint; readonly text: string }[];
}

const CONTROLS =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US SP".split(" ");

export const ascii = defineCommand<AsciiResult>({
  spec: {
    name: "ascii",
    summary: "translate a hexadecimal value to ASCII",
    synopsis: ["[value]…"],
    description: [
      "Shows the characters that a little-endian word of memory holds, lowest byte first; control characters are named as in <NUL>, other bytes shown in hexadecimal as in <ff>. Without values, a chart of ASCII.",
    ],
    options: [],
    operands: ["number"],
    examples: [
      ["ascii 62696c2f7273752f", "/usr/lib"],
      ["ascii", "the chart: column is the high digit, row the low digit"],
    ],
    differences: ["The chart has its apostrophes, dashes and underscores in the right places."],
    minimal: true,
  },
  run: (_session, { operands }) => ({
    words: operands.map((operand) => ({ value: parseHex(operand), text: characters(parseHex(operand)) })),
  }),
  api: (_session, { operands }) => asciiApi(operands.map((operand) => ({ value: parseHex(operand), text: characters(parseHex(operand)) }))),
  *text({ words }) {
    if (words.length === 0) yield* chart();
    for (const { value, text } of words) yield `${value.toString(16).padStart(16, "0")}: ${text}`;
  },
});

function characters(value: bigint): string {
  let text = "";
  for (let byte = 0n; byte < 8n; byte++) {
    const code = Number((value >> (byte * 8n)) & 0xffn);
    if (code > 0x20 && code < 0x7f) text += String.fromCharCode(code);
    else text += code === 0x20 ? " " : `<${code < 0x80 ? nameOf(code) : code.toString(16)}>`;
  }
  return text;
}

function* chart(): Iterable<string> {
  yield "";
  yield "      0    1   2   3   4   5   6   7";
  yield `    +${"-".repeat(31)}`;
  for (let row = 0; row < 16; row++) {
    const cells = Array.from({ length: 8 }, (_, column) => {
      const name = nameOf(column * 16 + row);
      return name.length === 1 ? ` ${name} ` : name.padStart(3);
    });
    yield `  ${row.toString(16).toUpperCase()} | ${cells.join(" ").trimEnd()}`;
  }
  yield "";
}

function nameOf(code: number): string {
  return CONTROLS[code] ?? (code === 0x7f ? "DEL" : String.fromCharCode(code));
}
