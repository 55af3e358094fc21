import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../../bytes/errors.ts";
import { explain, parseExplainOptions } from "./explain.ts";

const directory = mkdtempSync(join(tmpdir(), "inquest-explain-"));
afterAll(() => rmSync(directory, { recursive: true }));

function log(name: string, ...lines: string[]): string {
  const path = join(directory, name);
  writeFileSync(path, lines.map((line, index) => `[   10.0000${String(index).padStart(2, "0")}] ${line}\n`).join(""));
  return path;
}

async function output(words: string[]): Promise<{ text: string; found: number }> {
  let text = "";
  const found = await explain(parseExplainOptions(words), (part) => {
    text += part;
    return true;
  });
  return { text, found };
}

const OOPS = [
  "BUG: unable to handle page fault for address: ffff888100000028",
  "Oops: 0000 [#1] SMP",
  "CPU: 1 PID: 2 Comm: feeder Not tainted 6.1.0 #1",
  "RIP: 0010:widget_poll+0x1c/0x40",
  "Code: 0f 1f 44 00 00 <48> 8b 40 28 c3",
  "RSP: 0018:ffffb0c2c0003e50 EFLAGS: 00010246",
  "RAX: ffff888100000000 RBX: 0000000000000000 RCX: 0000000000000000",
  "Call Trace:",
  " widget_read+0x33/0x80",
  " do_syscall_64+0x5b/0xc0",
  "---[ end trace 0000000000000000 ]---",
];

describe("inquest explain", () => {
  it("tells the instruction and the operand that made the address", async () => {
    const { text, found } = await output([log("oops", ...OOPS)]);
    expect(found).toBe(1);
    expect(text).toContain("widget_poll reads 8 bytes at 0xffff888100000028");
    expect(text).toContain("The instruction mov 0x28(%rax),%rax reads 8 bytes at rax+0x28, with rax = 0xffff888100000000.");
    expect(text).toMatch(/> {2}widget_poll\+0x1c\n {5}widget_read\+0x33/);
    expect(text).toMatch(/^ +1 the first line of the report +line 1: BUG/m);
  });
  it("names no operand that does not make the address", async () => {
    const { text } = await output([log("other", ...OOPS.map((line) => line.replace("ffff888100000028", "ffff888200000028")))]);
    expect(text).toContain("The instruction is mov 0x28(%rax),%rax.");
  });
  it("takes the address of a general protection fault from the operand", async () => {
    const lines = OOPS.map((line) => line.replace("RAX: ffff888100000000", "RAX: 6b6b6b6b6b6b6b6b"));
    const { text } = await output([log("gpf", "general protection fault: 0000 [#1] SMP", ...lines.slice(2)), "--json"]);
    expect(JSON.parse(text).verdict).toMatchObject({ class: "use-after-free", access: { kind: "read", size: 8 } });
  });
  it("translates KASAN's shadow", async () => {
    const lines = OOPS.map((line) => line.replace("RAX: ffff888100000000", "RAX: dffffbfffffffffb"));
    const { text } = await output([log("shadow", "general protection fault: 0000 [#1] SMP KASAN", ...lines.slice(2))]);
    expect(text).toContain("KASAN: the access was meant for 0x118 to 0x11f");
    expect(text).toContain("NULL pointer dereference");
  });
  it("is one line of JSON for each report, in the order of the log", async () => {
    const { text, found } = await output([
      log("two", ...OOPS, "Rebooting", ...OOPS.map((line) => line.replaceAll("widget", "gadget"))),
      "--json",
    ]);
    expect(found).toBe(2);
    const answers = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(answers.map(({ verdict }) => verdict.function)).toEqual(["widget_poll", "gadget_poll"]);
    expect(answers[0]).toMatchObject({ line: 1, family: "oops", signature: { text: expect.stringContaining("widget_poll|widget_read") } });
  });
  it("says when there is nothing", async () => {
    expect(await output([log("quiet", "usb 1-1: new device")])).toEqual({
      text: expect.stringContaining("no kernel report in it"),
      found: 0,
    });
  });
  it("puts records of pstore into the order of time", async () => {
    const lines = OOPS.map((line, index) => `<4>[   10.0000${String(index).padStart(2, "0")}] ${line}\n`);
    const record = (part: number, from: number, to: number): string => {
      const path = join(directory, `dmesg-efi-17000000000${part}001`);
      writeFileSync(path, `Oops#1 Part${part}\n${lines.slice(from, to).join("")}`);
      return path;
    };
    const { text, found } = await output([record(1, 7, 11), record(2, 3, 7), record(3, 0, 3)]);
    expect(found).toBe(1);
    expect(text).toContain("widget_poll reads 8 bytes at 0xffff888100000028    confidence: likely");
    expect(text).toContain("Found      line 1, at 10.000000 s");
  });
  it("refuses modules without their kernel, and two kernels", async () => {
    const path = log("any", ...OOPS);
    await expect(output([path, "--vmlinux", "x.ko"])).rejects.toThrow(/want their kernel/);
    await expect(output([path, "--vmlinux", "a", "--vmlinux", "b"])).rejects.toThrow(/one vmlinux is enough/);
  });
  it("refuses what it does not know", async () => {
    expect(() => parseExplainOptions(["--frob", "x"])).toThrow(UsageError);
    expect(() => parseExplainOptions(["--json"])).toThrow(UsageError);
    await expect(output([join(directory, "absent")])).rejects.toThrow(/absent: no such file or directory/);
  });
  it("takes files for --vmlinux and --dump, and refuses them without", () => {
    expect(parseExplainOptions(["log", "--vmlinux", "v", "--dump=d"])).toMatchObject({ files: ["log"], vmlinux: ["v"], dump: "d" });
    expect(parseExplainOptions(["log", "--vmlinux=v", "--vmlinux", "m.ko", "--modules", "a", "--modules=b"])).toMatchObject({
      vmlinux: ["v", "m.ko"],
      modules: ["a", "b"],
    });
    expect(() => parseExplainOptions(["log", "--vmlinux"])).toThrow(UsageError);
    expect(() => parseExplainOptions(["log", "--dump="])).toThrow(UsageError);
    expect(parseExplainOptions(["--", "--vmlinux"]).files).toEqual(["--vmlinux"]);
  });
});
