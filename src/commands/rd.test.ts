import { describe, expect, test } from "vitest";
import { jsonChunks } from "./json.ts";
import type { RdResult } from "./rd.ts";
import { DATA, HEAD, NODES, printSession } from "./testing/print-session.ts";

const { run, result, memory } = printSession();
const data = DATA.toString(16);

describe("words", () => {
  test("by symbol, address, offset, end, backwards", () => {
    expect(run("rd ticks")).toEqual(["ffffffff82000040:  000000000000002a                    *......."]);
    expect(run("rd -x head 2")).toEqual(["ffffffff82000100:  ffff888000001008 ffff888000001088 "]);
    expect(run("rd -o 8 -x head")).toEqual(["ffffffff82000108:  ffff888000001088 "]);
    expect(run("rd -x head+8")).toEqual(["ffffffff82000108:  ffff888000001088 "]);
    expect(run(`rd -x head -e ${(HEAD + 24n).toString(16)}`)).toHaveLength(2);
    expect(run(`rd -x -R ${(HEAD + 8n).toString(16)} 2`)).toEqual(["ffffffff82000100:  ffff888000001008 ffff888000001088 "]);
    expect(run("rd -x counter:1")).toEqual(["ffff88800f700010:  0000000000000006 "]);
  });

  test("widths and formats", () => {
    expect(run(`rd -8 ${data} 5`)).toEqual(["ffffffff82000000:  4c 69 6e 75 78                                    Linux"]);
    expect(run(`rd -d -32 ${data}`)).toEqual(["ffffffff82000000:    1970170188 "]);
    expect(run(`rd -N ${data} 2`)).toEqual(["ffffffff82000000:  4c696e75 78207665                     Linux ve"]);
    expect(run(`rd -16 -N ${data}`)[0]).toContain("  4c69 ");
  });

  test("-s names what points into symbols", () => {
    expect(run("rd -s pointer 2")).toEqual(["ffffffff82000080:  ticks            0000000000000007 "]);
  });

  test("a hole is told, and the rest follows", () => {
    memory.put(0x7000n, 1);
    expect(run("rd -x 7ff8 514")).toEqual(
      ["            7ff8:  0000000000000000 ", "            8000:  4104 bytes unreadable: not mapped"]
        .map((line) => line.replace("4104", "4096"))
        .concat(["            9000:  8 bytes unreadable: not mapped"]),
    );
  });
});

describe("text", () => {
  test("up to the first byte that is none, in lines of sixty", () => {
    expect(run("rd -a banner")).toEqual(["ffffffff82000000:  Linux version 6.1"]);
    memory.text(0xffff888000004000n, "x".repeat(70));
    expect(run("rd -a ffff888000004000").map((line) => line.length)).toEqual([19 + 60, 19 + 10]);
  });

  test("with a count, over the gaps", () => {
    expect(run(`rd -a ${NODES[0].toString(16)} 160`).filter((line) => /n\d$/.test(line))).toEqual([
      "ffff888000001018:  n0",
      "ffff888000001058:  n1",
      "ffff888000001098:  n2",
    ]);
  });
});

test("-r hands the bytes to the face", () => {
  const { save } = result(`rd -r out.bin ${data} 5`) as RdResult;
  const written = [...(save?.chunks() ?? [])].map((chunk) => (typeof chunk === "number" ? "" : new TextDecoder().decode(chunk)));
  expect([save?.file, written.join("")]).toEqual(["out.bin", "Linux"]);
  expect(run(`rd -r out.bin ${data} 5`)).toEqual(["5 bytes copied from 0xffffffff82000000 to out.bin"]);
  expect(jsonChunks(result(`rd -r out.bin ${data} 5`)).join("")).toContain('"save":{"file":"out.bin","length":5}');
});

test.each([
  ["rd", "usage: rd"],
  ["rd 5000", "virtual address 0000000000005000: not mapped"],
  ["rd 5000 100", "virtual address 0000000000005000: not mapped"],
  ["rd nosuch", 'no symbol named "nosuch"'],
  ["rd head 0", "0 is no number of words"],
  ["rd -8 -16 head", "-8 and -16 exclude each other"],
  ["rd -N -64 head", "-N is for words of 16 and 32 bits"],
  ["rd -s -32 head", "-s and -S want words of 64 bits"],
  ["rd -R head", "-R wants a count above 1"],
  ["rd -r file head", "-r wants the number of bytes"],
  ["rd -r file head 100000", "not mapped"],
  ["rd -e 100 head", "the end 100 is not behind the start"],
  ["rd -f 10", "-f (an offset in the dump file) is for ELF dumps"],
  ["rd -m 10", "Xen"],
  ["rd -p -u 10", "-p and -u exclude each other"],
  ["rd counter", "counter is per-CPU"],
  ["rd counter:a", "rd reads one place"],
  ["rd head 1 2", "usage: rd"],
  ["rd fffffffffffffff8 2", "the range runs past the end of the address space"],
  ["rd fffffffffffffff8", "virtual address fffffffffffffff8: not mapped"],
])("%s", (line, message) => {
  expect(() => run(line)).toThrow(message);
});
