/** `wr`: writes memory of a running kernel in crash; a dump is only read. */
import { UnsupportedError } from "../bytes/errors.ts";
import { defineCommand } from "./command.ts";

export const wr = defineCommand<never>({
  spec: {
    name: "wr",
    summary: "write memory (not of a dump)",
    synopsis: ["[-u | -k | -p] [-8 | -16 | -32 | -64] [address | symbol] value"],
    description: [
      "Writes memory of a running kernel in crash. A dump is what a dead kernel left and is never changed, so the command is refused; what a value would change can be worked out with p and its convenience variables.",
    ],
    options: [
      { flag: "-u", help: "the address is a user address" },
      { flag: "-k", help: "the address is a kernel address" },
      { flag: "-p", help: "the address is physical" },
      { flag: "-8", help: "a value of 8 bits" },
      { flag: "-16", help: "a value of 16 bits" },
      { flag: "-32", help: "a value of 32 bits" },
      { flag: "-64", help: "a value of 64 bits" },
    ],
    operands: ["symbol", "number"],
    minimal: true,
  },
  run() {
    throw new UnsupportedError("wr: not allowed on dumpfiles: a dump is never changed");
  },
  api: () => "// wr: a dump is never changed",
  *text() {
    // It never has a result.
  },
});
