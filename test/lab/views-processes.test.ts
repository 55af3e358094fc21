/**
 * A user program's sockets, packet rings, memory, descriptors, signals and System V objects against its own word of them, on every cached
 * case of "views".
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { numberField, type ViewTruth } from "../../lab/views-truth.ts";
import { virtual } from "../../src/bytes/address.ts";
import { type Json, type JsonObject, objectsIn, openViews, type Views, viewCases } from "../support/views.ts";

/** glibc keeps two real-time signals for itself. */
const SIGRTMIN = 34;
const SIGNALS: Readonly<Record<string, number>> = { HUP: 1, QUIT: 3, TERM: 15 };

/** Bits of "HUP,RTMIN+2" as the kernel's sets have them. */
function setOf(names: string | undefined): bigint {
  return (names ?? "").split(",").reduce((bits, name) => {
    const realTime = /^RTMIN\+(\d+)$/.exec(name);
    const number = realTime === null ? SIGNALS[name] : SIGRTMIN + Number(realTime[1]);
    return number === undefined ? bits : bits | (1n << BigInt(number - 1));
  }, 0n);
}

describe.each(viewCases)("%s", (_id, lab) => {
  let views: Views;
  let pid = 0;
  beforeAll(async () => {
    views = await openViews(lab);
    pid = numberField(views.one("process", "views"), "pid");
  });
  afterAll(() => views.session.kernel.dump.close());

  const sockets = (line: string, list: string): ReadonlyMap<number, JsonObject> =>
    new Map(
      ((views.ask(line) as JsonObject)[list] as readonly JsonObject[]).flatMap((entry) => {
        const { inode } = entry.sock as JsonObject;
        return typeof inode === "number" && inode > 0 ? [[inode, entry] as const] : [];
      }),
    );

  test("net --sockets: state, ends, queues and owner of every socket", () => {
    const found = sockets("net --sockets", "sockets");
    const place = (end: Json | undefined): string => {
      const { address, port } = (end ?? {}) as { readonly address?: string; readonly port?: number };
      return address?.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    };
    const told = views.told.filter(({ kind, fields }) => /^(tcp|udp|raw|unix|netlink)$/.test(kind) && Number(fields.get("ino")) > 0);
    expect(told.length).toBeGreaterThan(40);
    for (const socket of told) {
      const entry = found.get(numberField(socket, "ino"));
      const what = `${socket.kind} ${socket.name}`;
      expect(entry, what).toBeDefined();
      const { sock, owners, tcp, unix } = entry as { sock: JsonObject; owners: readonly JsonObject[]; tcp?: JsonObject; unix?: JsonObject };
      if (socket.name !== "inner") expect(owners, what).toContainEqual(expect.objectContaining({ pid, fd: numberField(socket, "fd") }));
      if (socket.kind === "tcp") {
        // The peer that does not answer may have been given up meanwhile, and the last acknowledgement have come.
        if (socket.name !== "syn-sent")
          expect(String(sock.stateName).replace("WAIT1", "WAIT2"), what).toBe(socket.fields.get("state")?.replace("WAIT1", "WAIT2"));
        if (sock.stateName === "ESTABLISHED")
          expect([tcp?.unreadBytes, Number(tcp?.writeSequence) - Number(tcp?.sendUnacknowledged)], what).toEqual([
            numberField(socket, "rx"),
            numberField(socket, "tx"),
          ]);
      }
      if (/^(tcp|udp)$/.test(socket.kind) && socket.fields.has("local")) expect(place(sock.local), what).toBe(socket.fields.get("local"));
      if (/^(tcp|udp)$/.test(socket.kind) && /:/.test(socket.fields.get("remote") ?? ""))
        expect(place(sock.remote), what).toBe(socket.fields.get("remote"));
      const path = socket.fields.get("path");
      if (path !== undefined && path !== "-") expect(unix?.path, what).toBe(path);
      const peer = Number(socket.fields.get("peer") ?? 0);
      if (peer > 0) expect(unix?.peer, what).toBe((found.get(peer)?.sock as JsonObject | undefined)?.address);
    }
    for (const queue of views.of("queue")) {
      const { sock } = found.get(numberField(queue, "ino")) as { readonly sock: { readonly queues: JsonObject } };
      expect(sock.queues.receive, queue.name).toBe(numberField(queue, "packets"));
    }
  });

  test("net --packet: rings, owners of frames and blocks, every captured byte that was told", () => {
    const found = sockets("net --packet", "packetSockets");
    const rings = new Map<string, JsonObject>();
    for (const packet of views.of("packet")) {
      const { packet: own } = found.get(numberField(packet, "ino")) as { packet: { rings: readonly JsonObject[] } };
      if (packet.fields.get("version") === "-") expect(own.rings, packet.name).toEqual([]);
      else {
        const [ring] = own.rings;
        expect(ring, packet.name).toMatchObject({
          kind: packet.fields.get("tx") === "1" ? "tx" : "rx",
          version: numberField(packet, "version") + 1,
          request: {
            blockSize: numberField(packet, "block_size"),
            blocks: numberField(packet, "blocks"),
            frameSize: numberField(packet, "frame_size"),
            frames: numberField(packet, "frames"),
          },
        });
        rings.set(packet.name, ring as JsonObject);
      }
    }
    for (const block of views.of("block")) {
      const blocks = rings.get(block.fields.get("ring") ?? "")?.blocks as readonly JsonObject[];
      expect(blocks[numberField(block, "index")], block.name).toMatchObject({ owner: block.fields.get("owner") });
    }
    for (const frame of views.of("frame")) checkFrame(frame, rings.get(frame.fields.get("ring") ?? "") ?? {});
  });

  function checkFrame(frame: ViewTruth, ring: JsonObject): void {
    const blocks = ring.blocks as readonly JsonObject[];
    const inBlock = frame.fields.get("block");
    const frames = (inBlock === undefined ? blocks : [blocks[Number(inBlock)]]).flatMap(
      (block) => (block?.frames ?? []) as readonly JsonObject[],
    );
    const found = frames.find(({ index }) => index === numberField(frame, "index"));
    expect(found, frame.name).toMatchObject({ length: numberField(frame, "len"), captured: numberField(frame, "snaplen") });
    if (inBlock === undefined) expect(found?.owner, frame.name).toBe(frame.fields.get("owner"));
    const bytes = frame.fields.get("bytes") ?? "";
    const read = views.session.kernel.memory.bytes(virtual(BigInt(found?.data as string)), bytes.length / 2);
    expect(Buffer.from(read).toString("hex"), frame.name).toBe(bytes);
  }

  test("vtop: page frames and places in swap of the program's memory", () => {
    const pageSize = views.session.kernel.arch.pageSize;
    let swapped = 0;
    for (const memory of views.of("memory")) {
      (memory.fields.get("pfns") ?? "").split(",").forEach((place, index) => {
        const at = (memory.address ?? 0n) + BigInt(index * pageSize);
        const [answer] = (views.ask(`vtop -c ${pid} ${at.toString(16)}`) as { addresses: readonly JsonObject[] }).addresses;
        const what = `${memory.name}, page ${index}`;
        const swap = /^swap:(\d+):(\d+)$/.exec(place);
        if (swap !== null) {
          swapped++;
          const path = swap[1] === "1" ? "/dev/zram0" : "/dev/vdb";
          expect(answer?.swap, what).toMatchObject({ type: Number(swap[1]), offset: `0x${Number(swap[2]).toString(16)}`, path });
        } else if (place !== "-") expect(Number(BigInt(answer?.physical as string) / BigInt(pageSize)), what).toBe(Number(place));
      });
    }
    expect(swapped).toBeGreaterThan(20);
  });

  test("rd -u reads what the program wrote", () => {
    views.session.execute(`set ${pid}`);
    for (const memory of views.of("memory")) {
      const text = memory.fields.get("text") ?? "";
      const pages = (memory.fields.get("pfns") ?? "").split(",");
      const first = pages.findIndex((place) => /^\d+$/.test(place));
      if (first < 0) continue;
      const at = (memory.address ?? 0n) + BigInt(first * views.session.kernel.arch.pageSize);
      const [line] = [...views.session.execute(`rd -u -a ${at.toString(16)}`).text({ radix: 10 })];
      expect(line, memory.name).toContain(text.replaceAll("_", " ").replace("page N", `page ${first}`));
    }
  });

  test("files lists every descriptor with its path", () => {
    const [task] = (views.ask(`files ${pid}`) as { tasks: readonly { files: readonly JsonObject[] }[] }).tasks;
    const files = new Map(task?.files.map((file) => [file.fd, file]));
    for (const file of views.of("file")) {
      const found = files.get(numberField(file, "fd"));
      expect(found, file.name).toBeDefined();
      const path = file.fields.get("path");
      if (path !== undefined) expect(String(found?.path), file.name).toContain(path);
      if (file.fields.get("deleted") === "1") expect(String(found?.path)).toContain("(deleted)");
    }
  });

  test("sig: handlers, blocked and pending sets of threads and processes", () => {
    const of = (tid: number): readonly JsonObject[] => [...objectsIn(views.ask(`sig ${tid}`))];
    const word = (value: Json | undefined): bigint => BigInt((value as string | undefined) ?? 0);
    for (const signal of views.of("signal")) {
      const [task] = of(numberField(signal, "tid")).filter(({ blocked }) => blocked !== undefined);
      const own = word((task?.own as JsonObject | undefined)?.set);
      if (signal.fields.has("blocked")) expect(word(task?.blocked) & setOf(signal.fields.get("blocked")), signal.name).toBeGreaterThan(0n);
      if (signal.fields.has("pending")) expect(own, signal.name).toBe(setOf(signal.fields.get("pending")));
      if (signal.fields.has("shared")) {
        const text = JSON.stringify(task);
        expect(text, signal.name).toContain(`0x${setOf(signal.fields.get("shared")).toString(16)}`);
      }
    }
    const actions = of(pid).filter(({ handler }) => handler !== undefined);
    for (const action of views.of("sigaction")) {
      const found = actions.find(({ signal }) => signal === numberField(action, "signal"));
      expect(word(found?.handler), action.name).toBe(action.address);
    }
  });

  test("ipcs: shared memory, semaphores and queues", () => {
    const answer = views.ask("ipcs") as Readonly<Record<string, readonly JsonObject[]>>;
    const find = (list: string, view: ViewTruth): JsonObject | undefined => answer[list]?.find(({ id }) => id === numberField(view, "id"));
    for (const memory of views.of("shm")) {
      // A child has inherited what the program attached.
      const attached = numberField(memory, "attached") === 0 ? 0 : expect.any(Number);
      expect(find("shared", memory), memory.name).toMatchObject({ bytes: numberField(memory, "size"), attached });
      if (memory.fields.get("dest") !== "1") expect(find("shared", memory)?.key).toBe(Number.parseInt(memory.fields.get("key") ?? "", 16));
    }
    for (const set of views.of("sem")) expect(find("semaphores", set)).toMatchObject({ semaphores: 3, values: [3, 1, 0] });
    for (const queue of views.of("msg")) expect(find("queues", queue)).toMatchObject({ messages: 3, bytes: 5010 });
  });
});
