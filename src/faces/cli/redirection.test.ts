import { describe, expect, it } from "vitest";
import { completeFile } from "./complete-file.ts";
import { splitRedirection } from "./redirection.ts";

describe("redirection", () => {
  it("splits at the first operator", () => {
    expect(splitRedirection("ps | grep 'a|b' > x")).toEqual({ command: "ps", redirection: { kind: "pipe", shell: "grep 'a|b' > x" } });
    expect(splitRedirection('log > "my file"')).toEqual({ command: "log", redirection: { kind: "write", file: "my file" } });
    expect(splitRedirection("bt -a>>all")).toEqual({ command: "bt -a", redirection: { kind: "append", file: "all" } });
    expect(splitRedirection("rd < list")).toEqual({ command: "rd", redirection: { kind: "operands", file: "list" } });
    expect(splitRedirection("< script")).toEqual({ command: "", redirection: { kind: "script", file: "script" } });
    expect(splitRedirection(" bt ")).toEqual({ command: "bt", redirection: { kind: "none" } });
  });

  it("leaves quotes, parentheses and arrows to the command", () => {
    for (const line of [
      "eval (1 | 2)",
      "foreach 'a|b' bt",
      "p init_task.mm->pgd",
      "js let f = (x) => x + 1; f(2)",
      "eval (1 << 3) + (8 >> 1)",
      'alias x "ps | wc"',
    ]) {
      expect(splitRedirection(line)).toEqual({ command: line, redirection: { kind: "none" } });
    }
    expect(splitRedirection("p it's | cat").redirection).toEqual({ kind: "pipe", shell: "cat" });
  });

  it("takes no number for a file or a program", () => {
    for (const line of ["p 3 > 2", "p -1>>1", "p a >= 2", "p x < 1u", "p flags|0x10", "p a > 0 ? 1 : 2", "p a > -1"])
      expect(() => splitRedirection(line), line).toThrow("goes into parentheses");
    expect(() => splitRedirection("p -1>>1")).toThrow('">> 1" names no file: C\'s >> goes into parentheses, as in p (a >> b)');
    for (const line of ["ps > 2.txt", "ps > '2'", "ps >> 2026-11-20.log", "ps | 7z a x"])
      expect(splitRedirection(line).redirection.kind, line).not.toBe("none");
  });

  it("says what is missing", () => {
    expect(() => splitRedirection("ps |")).toThrow("a shell command is missing");
    expect(() => splitRedirection("| wc")).toThrow("a command is missing before |");
    expect(() => splitRedirection("ps >")).toThrow("a file name is missing after >");
    expect(() => splitRedirection("> x")).toThrow("a command is missing before >");
  });
});

describe("completion of file names", () => {
  it("works behind a redirection only", () => {
    expect(completeFile("ps > src/faces/cl")?.candidates).toEqual(["src/faces/cli/"]);
    expect(completeFile("< packag")?.candidates).toEqual(["package-lock.json", "package.json"]);
    expect(completeFile("p a->b")).toBeUndefined();
    expect(completeFile("ps | gre")?.candidates).toEqual([]);
  });
});
