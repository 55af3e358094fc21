import { describe, expect, test } from "vitest";
import { HEAD, NODES, printSession } from "./testing/print-session.ts";

const { run, memory, session } = printSession();
const [a, b, c] = NODES.map((node) => node.toString(16)) as [string, string, string];
const links = NODES.map((node) => (node + 8n).toString(16));

describe("list_heads", () => {
  test("-H from a bare head, nodes or their structures", () => {
    expect(run("list -H head")).toEqual(links);
    expect(run("list node.link -H head")).toEqual([a, b, c]);
    expect(run("list -o 8 -H head")).toEqual([a, b, c]);
    expect(run("list -r node.link -H head")).toEqual([c, b, a]);
    expect(run(`list node.link -e ${c} -H head`)).toEqual([a, b]);
    expect(run(`list node.link -e ${links[1]} -H head`)).toEqual([a]);
  });

  test("a list without entries says so", () => {
    expect(run(`list -e ${links[0]} -H head`)).toEqual(["(empty)"]);
  });

  test("-r from one list_head to the one before", () => {
    expect(run(`list list_head.next -r ${links[2]} -e ${HEAD.toString(16)}`)).toEqual([links[2], links[1], links[0]]);
  });

  test("-h from a structure shows it too, -O only takes the head from it", () => {
    // The walk passes the bare head, which is no node: crash's documentation warns of the same.
    expect(run(`list node.link -h ${b}`)).toEqual([b, c, (HEAD - 8n).toString(16), a]);
    expect(run(`list -o node.link -O 0 -h ${HEAD.toString(16)}`)).toEqual([a, b, c]);
  });

  test("-s and -S show members, several times", () => {
    expect(run("list node.link -s node.id,name -H head").slice(0, 3)).toEqual([a, "  id = 1,", '  name = "n0\\000\\000\\000\\000\\000",']);
    expect(run("list node.link -S node.name,mode -S node.id -x -H head").slice(0, 4)).toEqual([
      a,
      '  name = "n0"',
      "  mode = 0x0",
      "  id = 0x1",
    ]);
    expect(run("list node.link -s list_head -H head").slice(0, 3)).toEqual([a, "struct list_head {", "  next = 0x1,"]);
    expect(run(`list ${links[0]} -e ${HEAD.toString(16)} -l node.link -s node.id`)).toEqual([
      links[0],
      "  id = 1,",
      links[1],
      "  id = 2,",
      links[2],
      "  id = 3,",
    ]);
  });
});

describe("damaged lists of list_heads", () => {
  const broken = printSession();
  const shown = (line: string) => {
    const lines: string[] = [];
    let error = "";
    try {
      for (const text of broken.session.execute(line).text({ radix: 10 })) lines.push(text);
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    return { lines, error };
  };

  test("a node that does not point back is told after the whole list", () => {
    broken.memory.put(NODES[1] + 16n, 0xdead);
    expect(shown("list node.link -H head")).toEqual({
      lines: [a, b, c],
      error: "list at ffff888000001048: its prev is 000000000000dead where ffff888000001008 points here; the walk went on",
    });
    // Nobody said that these are list_heads.
    expect(shown("list -H head")).toEqual({ lines: links, error: "" });
    broken.memory.put(NODES[1] + 16n, NODES[0] + 8n);
  });

  test("a circle without the head ends at the first node that comes again", () => {
    broken.memory.put(NODES[2] + 8n, NODES[1] + 8n);
    const { lines, error } = shown("list -H head");
    expect(lines).toEqual(links);
    expect(error).toContain(
      "ffff888000001048: duplicate list entry, reached again from ffff888000001088: the list does not come back to ffffffff82000100",
    );
    expect(shown("list -B -H head").error).toContain("duplicate list entry");
  });

  test("NULL ends it, an unreadable node is not shown", () => {
    broken.memory.put(NODES[2] + 8n, 0);
    expect(shown("list -H head")).toEqual({ lines: links, error: "" });
    broken.memory.put(NODES[2] + 8n, 0x5000);
    expect(shown("list -H head")).toEqual({ lines: links, error: expect.stringContaining("the link at 0000000000005000 cannot be read") });
  });
});

describe("plain links", () => {
  test("end with NULL, at the start, at -e", () => {
    expect(run(`list node.peer ${a}`)).toEqual([a, b, c]);
    expect(run(`list 32 ${a}`)).toEqual([a, b, c]);
    expect(run(`list node.peer -e ${c} ${a}`)).toEqual([a, b]);
    memory.put(NODES[2] + 32n, NODES[0]);
    expect(run(`list node.peer ${a}`)).toEqual([a, b, c]);
    memory.put(NODES[2] + 32n, NODES[1]);
    // Back to the first item that the start points to: an ordinary end, as the head is start.
    expect(run(`list node.peer ${a}`)).toEqual([a, b, c]);
    memory.put(NODES[2] + 32n, 0);
  });

  test("a loop ends the walk with an error, and what came before stands", () => {
    const ring = [0xffff888000002000n, 0xffff888000002100n, 0xffff888000002200n, 0xffff888000002300n];
    for (const [i, node] of ring.entries()) memory.put(node, ring[i + 1] ?? ring[2]!);
    const lines: string[] = [];
    const walk = (line: string) => {
      lines.length = 0;
      for (const text of session.execute(line).text({ radix: 10 })) lines.push(text);
    };
    expect(() => walk(`list ${ring[0]!.toString(16)}`)).toThrow(
      "ffff888000002200: duplicate list entry, reached again from ffff888000002300",
    );
    expect(lines).toEqual(ring.map((node) => node.toString(16)));
    expect(() => walk(`list -B ${ring[0]!.toString(16)}`)).toThrow("the list runs in a loop of 2 entries that starts at ffff888000002200");
    expect(lines.length).toBeGreaterThanOrEqual(4);
  });

  test("a link into nowhere", () => {
    memory.put(0xffff888000003000n, 0x5000);
    expect(() => run("list ffff888000003000")).toThrow("the link at 0000000000005000 cannot be read");
  });
});

test.each([
  ["list", "usage: list"],
  [`list node.link ${a}`, "that member is a list_head: add -h"],
  ["list -h -H head", "-h and -H exclude each other"],
  [`list -O 8 ${a}`, "-O belongs to -h"],
  [`list -l 8 ${a}`, "-l belongs to -s"],
  ["list nonsense -H head", '"nonsense" is no offset'],
  ["list -H 5000", "not mapped"],
  ["list node.nope -H head", 'has no member "nope"'],
  ["list -H head -s nosuch", 'no struct named "nosuch"'],
])("%s", (line, message) => {
  expect(() => run(line)).toThrow(message);
});
