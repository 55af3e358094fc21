/** The aliases crash users find without defining them. */
import type { Session } from "../command.ts";

const BUILTIN: readonly (readonly [name: string, line: string])[] = [
  ["man", "help"],
  ["?", "help"],
  ["quit", "exit"],
  ["q", "exit"],
  ["sf", "set scroll off"],
  ["sn", "set scroll on"],
  ["hex", "set radix 16"],
  ["dec", "set radix 10"],
  ["g", "gdb"],
  ["px", "p -x"],
  ["pd", "p -d"],
  ["for", "foreach"],
  ["size", "*"],
  ["dmesg", "log"],
  ["lsmod", "mod"],
  ["last", "ps -l"],
];

export function builtinAliases(): Session["aliases"] {
  return new Map(BUILTIN.map(([name, line]) => [name, { line, origin: "builtin" }]));
}
