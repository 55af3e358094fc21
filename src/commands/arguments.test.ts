import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseArguments } from "./arguments.ts";
import type { CommandSpec } from "./command.ts";
import { splitWords } from "./support/words.ts";

const spec: CommandSpec = {
  name: "bt",
  summary: "",
  synopsis: ["[-a]"],
  description: [],
  options: ["-a", "-f", "-F", "-FF", "-s", "-x", "-16"]
    .map((flag) => ({ flag, help: "" }))
    .concat([{ flag: "-c", argument: "cpus", help: "" } as never, { flag: "-i", attached: "shared", help: "" } as never]),
};
const parse = (line: string) => parseArguments(spec, splitWords(line), line);

describe("arguments by spec", () => {
  it("takes clustered letters apart", () => {
    const args = parse("-sxa 1 init");
    expect(["-s", "-x", "-a", "-f"].map((flag) => args.has(flag))).toEqual([true, true, true, false]);
    expect(args.operands).toEqual(["1", "init"]);
  });

  it("refuses words that a command has no use for", () => {
    expect(() => parseArguments({ ...spec, operands: [] }, splitWords("-a 5"), "-a 5")).toThrow(
      /^bt: "5" is not expected; usage: bt \[-a\]/,
    );
    expect(parseArguments({ ...spec, operands: [] }, splitWords("-a"), "-a").has("-a")).toBe(true);
  });

  it("prefers longer flags", () => {
    expect(parse("-FF").count("-FF")).toBe(1);
    expect(parse("-FF").has("-F")).toBe(false);
    expect(parse("-FFF").count("-F")).toBe(1);
    expect(parse("-16").has("-16")).toBe(true);
  });

  it("takes arguments attached or apart", () => {
    expect(parse("-c 0,1").value("-c")).toBe("0,1");
    expect(parse("-c0,1").value("-c")).toBe("0,1");
    expect(parse("-ac0 -c 3").values("-c")).toEqual(["0", "3"]);
    expect(() => parse("-c")).toThrow("bt: option -c wants an argument: cpus");
  });

  it("takes a value behind = where the option may have one", () => {
    expect(parse("-i=shared 1").value("-i")).toBe("shared");
    expect(parse("-i=shared 1").operands).toEqual(["1"]);
    expect([parse("-ai").value("-i"), parse("-i shared").value("-i")]).toEqual(["", ""]);
    expect(() => parse("-a=1")).toThrow('bt: invalid option "-a=1"');
  });

  it("leaves negative numbers and a lone dash to the operands", () => {
    expect(parse("-3 -0x10 -").operands).toEqual(["-3", "-0x10", "-"]);
    expect(parse("-- -a").operands).toEqual(["-a"]);
  });

  it("remembers quotes", () => {
    const args = parse("init '-a.*'");
    expect(args.operands).toEqual(["init", "-a.*"]);
    expect([args.isQuoted(0), args.isQuoted(1)]).toEqual([false, true]);
    expect(args.has("-a")).toBe(false);
  });

  it("names an unknown option", () => {
    expect(() => parse("-az")).toThrow('bt: invalid option "-az"; usage: bt [-a]');
  });

  it("finds every flag of any mixture of clusters", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.constantFrom("a", "f", "s", "x"), { minLength: 1, maxLength: 4 })), (clusters) => {
        const args = parseArguments(
          spec,
          clusters.map((letters) => `-${letters.join("")}`),
          "",
        );
        for (const letter of ["a", "f", "s", "x"])
          expect(args.count(`-${letter}`)).toBe(clusters.flat().filter((each) => each === letter).length);
        expect(args.operands).toEqual([]);
      }),
    );
  });
});
