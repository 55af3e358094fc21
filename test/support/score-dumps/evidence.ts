/** Whether evidence holds: each value read again by another way, each command run, and the value seen in what it printed. */
import { virtual } from "../../../src/bytes/address.ts";
import { InquestError } from "../../../src/bytes/errors.ts";
import type { CommandOutcome, Session } from "../../../src/commands/command.ts";
import type { Diagnosis } from "../../../src/diagnosis/verdict.ts";
import type { SecondReader } from "./second-reader.ts";

export interface EvidenceScore {
  readonly values: number;
  readonly commands: number;
  /** One line each. */
  readonly wrong: readonly string[];
}

export function checkEvidence(session: Session, reader: SecondReader, { evidence }: Diagnosis): EvidenceScore {
  let values = 0;
  const wrong: string[] = [];
  for (const { claim, command, values: cited } of evidence) {
    const output = outputOf(session, command);
    if (typeof output !== "string") wrong.push(`"${command}" fails: ${output.error}`);
    for (const { address, value } of cited) {
      values++;
      const size = value >> 32n === 0n ? 4 : 8;
      const again = reader.number(address, size);
      if (again !== value)
        wrong.push(`${address.toString(16)} holds ${again?.toString(16) ?? "nothing readable"}, not ${value.toString(16)} (${claim})`);
      if (typeof output === "string" && !shows(session, output, value))
        wrong.push(`"${command}" does not show ${value.toString(16)} (${claim})`);
    }
  }
  return { values, commands: evidence.length, wrong };
}

/** All the command prints; what it is piped into is the shell's. */
function outputOf(session: Session, command: string): string | { readonly error: string } {
  const [line, ...pipes] = command.split(" | ");
  try {
    const outcome: CommandOutcome = session.execute(line ?? "");
    const text = [...outcome.text({ radix: session.settings.radix })].join("\n");
    // A search that finds nothing shows just that.
    if (text.trim() === "" && !command.startsWith("search ")) return { error: "it prints nothing" };
    const wanted = /^grep (?:-\S+ )*(?:"([^"]*)"|'([^']*)'|(\S+))/.exec(pipes[0] ?? "");
    const pattern = wanted?.[1] ?? wanted?.[2] ?? wanted?.[3];
    if (pattern !== undefined && !text.includes(pattern) && !matches(text, pattern)) return { error: `nothing in it matches ${pattern}` };
    return text;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { error: error.message };
  }
}

function matches(text: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return false;
  }
}

/** In any form that people take for the value. */
function shows(session: Session, output: string, value: bigint): boolean {
  const hex = value.toString(16);
  const plain = output.toLowerCase();
  const forms = [hex, value.toString(), BigInt.asIntN(64, value).toString(), BigInt.asIntN(32, value).toString()];
  if (forms.some((form) => new RegExp(`(?<![0-9a-z])(?:0x)?0*${form.replace("-", "\\-")}(?![0-9a-z])`).test(plain))) return true;
  if (value === 0n && /null|<no |\(nil\)|\b0x0\b/.test(plain)) return true;
  // Bytes one by one, as they lie, and as text.
  const bytes = Array.from({ length: value >> 32n === 0n ? 4 : 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
  if (plain.includes(bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" "))) return true;
  if (bytes.every((byte) => byte >= 32 && byte < 127) && output.includes(String.fromCharCode(...bytes))) return true;
  // Two halves of a word.
  if (value < 1n << 32n && plain.replaceAll(/\s+/g, "").includes(hex.padStart(8, "0"))) return true;
  const symbol = session.kernel.symbolize(virtual(value));
  return symbol !== undefined && output.includes(symbol.replace(/ \[.*$/, ""));
}
