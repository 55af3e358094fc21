/**
 * Network and BPF of the guests of the scenario "views" against what those guests said: /proc/net, ip, and the program that made the
 * sockets, rings and BPF objects (lab/views/guest). All kernels, both machines.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cachedCases, dumpNamed } from "../../lab/case-record.ts";
import { type Truth, truthOf } from "../../lab/truth.ts";
import { numberField, type ViewTruth, viewsOf } from "../../lab/views-truth.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { bpfMaps, bpfPrograms } from "../../src/linux/bpf/objects.ts";
import { netDevices } from "../../src/linux/net/device.ts";
import { initialNamespace } from "../../src/linux/net/namespace.ts";
import { neighbours } from "../../src/linux/net/neighbour.ts";
import { findPackets } from "../../src/linux/net/packet-search.ts";
import { pcapng } from "../../src/linux/net/pcapng.ts";
import { allSockets, type SocketEntry } from "../../src/linux/net/sockets.ts";
import { readPcapng } from "../../src/linux/testing/pcapng-reader.ts";
import { machineTime } from "../../src/linux/timekeeping.ts";

const cases = cachedCases().filter(({ scenario }) => scenario === "views");

/** Rows of a file below /proc/net without its heading. */
function rows(truth: Truth, name: string): string[][] {
  const lines = (truth.files.read(`proc/net/${name}`) ?? "").split("\n").slice(1);
  return lines.filter((line) => line.trim() !== "").map((line) => line.trim().split(/\s+/));
}

/** "0100007F:1B58" as the kernel prints it: words of the host's order, the port as it is. */
function procEnd(text: string): string {
  const [address = "", port = ""] = text.split(":");
  const bytes = address.match(/.{8}/g)?.flatMap((word) => (word.match(/../g) ?? []).reverse().map((hex) => Number.parseInt(hex, 16))) ?? [];
  return `${bytes.join(".")}:${Number.parseInt(port, 16)}`;
}

/** Our end in the same form. */
function ownEnd(end: { readonly address: string; readonly port: number } | undefined): string {
  if (end === undefined) return "";
  if (!end.address.includes(":")) return `${end.address}:${end.port}`;
  const mapped = /^::ffff:([\d.]+)$/.exec(end.address);
  if (mapped !== null) return `0.0.0.0.0.0.0.0.0.0.255.255.${mapped[1]}:${end.port}`;
  const [front = "", back] = end.address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const missing = back === undefined ? 0 : 8 - groups(front).length - groups(back).length;
  const all = [...groups(front), ...Array<string>(missing).fill("0"), ...groups(back ?? "")];
  return `${all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]).join(".")}:${end.port}`;
}

/** Before 6.0 or so the kernel hashed the addresses it printed here: 32 bits, and only equal to themselves. Then the rest is compared. */
function sameRows(own: readonly string[], expected: readonly string[]): void {
  const hashed = expected.length > 0 && expected.every((line) => line.startsWith("00000000"));
  const shown = (lines: readonly string[]) => (hashed ? lines.map((line) => line.replace(/^\S+/, "")) : [...lines]).sort();
  expect(shown(own)).toEqual(shown(expected));
}

const hex = (value: bigint) => value.toString(16).padStart(16, "0");

describe.each(cases.map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const truth = truthOf(lab);
  const views = viewsOf(truth);
  let kernel: Kernel;
  let sockets: SocketEntry[];
  let byInode: Map<number, SocketEntry>;
  const notes: string[] = [];
  beforeAll(async () => {
    kernel = await openKernel(dumpNamed(lab, "elf").files);
    sockets = [...allSockets(kernel, notes)].filter((entry): entry is SocketEntry => "sock" in entry);
    byInode = new Map(sockets.map((entry) => [entry.sock.inode ?? 0, entry]));
  });
  afterAll(() => kernel.dump.close());

  const here = () => sockets.filter(({ sock }) => sock.namespace === initialNamespace(kernel));
  const told = (kind: string): ViewTruth[] => views.filter((view) => view.kind === kind);
  const socketOf = (view: ViewTruth): SocketEntry => {
    const found = byInode.get(numberField(view, "ino"));
    if (found === undefined) throw new Error(`no socket with the inode of ${view.kind} ${view.name}`);
    return found;
  };

  test("nothing was found damaged", () => {
    expect(notes).toEqual([]);
    expect(sockets.filter(({ problem }) => problem !== undefined)).toEqual([]);
  });

  test("devices and addresses are those of ip addr", () => {
    const devices = netDevices(kernel, initialNamespace(kernel)).map(({ name, index, mtu, hardwareAddress, addresses }) => ({
      head: `${index}: ${name} ${mtu} ${hardwareAddress}`,
      addresses: addresses.map(({ address, prefix }) => `${address}/${prefix}`).sort(),
    }));
    const expected = (truth.files.read("ip-addr") ?? "")
      .split(/^(?=\d+: )/m)
      .filter(Boolean)
      .map((text) => {
        const [, index, name, mtu] = /^(\d+): ([^:@]+)[:@].* mtu (\d+)/.exec(text) ?? [];
        return {
          head: `${index}: ${name} ${mtu} ${/link\/\w+ ([\da-f:]+)/.exec(text)?.[1]}`,
          addresses: [...text.matchAll(/inet6? (\S+)/g)].map((match) => match[1] as string).sort(),
        };
      });
    expect(devices).toEqual(expected);
  });

  test("neighbours are those of ip neigh", () => {
    const expected = (truth.files.read("ip-neigh") ?? "")
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [ip, , device] = line.split(" ");
        return `${ip} ${device} ${/lladdr (\S+)/.exec(line)?.[1] ?? "00:00:00:00:00:00"} ${line.split(" ").at(-1)}`;
      });
    // ip leaves out NOARP: what the kernel made by itself.
    const own = [...neighbours(kernel)]
      .filter(({ state }) => state !== "NOARP")
      .map((each) => `${each.ip} ${each.device} ${each.hardwareAddress} ${each.state}`);
    expect(own.sort()).toEqual(expected.sort());
  });

  test.each([
    ["tcp", 2],
    ["tcp6", 10],
    ["udp", 2],
    ["udp6", 10],
    ["raw", 2],
    ["raw6", 10],
  ] as const)("/proc/net/%s", (file, family) => {
    const kind = file.replace("6", "");
    const expected = rows(truth, file).map((row) => {
      const [tx = "", rx = ""] = (row[4] as string).split(":");
      const state = Number.parseInt(row[3] as string, 16);
      const drops = kind === "tcp" ? "" : ` drops ${row[12]}`;
      const queues = kind === "tcp" ? `tx ${Number.parseInt(tx, 16)} rx ${Number.parseInt(rx, 16)}` : `rx ${Number.parseInt(rx, 16)}`;
      return `${row[11]} ${procEnd(row[1] as string)} ${procEnd(row[2] as string)} ${state} ${queues} inode ${row[9]}${drops}`;
    });
    const chosen = here().filter(({ sock }) => {
      if (sock.family !== family) return false;
      if (kind === "tcp") return sock.kind !== "sock" || (sock.protocolName ?? "").startsWith("TCP");
      // A socket that is not bound hangs in no table.
      return (sock.protocolName ?? "").startsWith(kind.toUpperCase()) && sock.local?.port !== 0;
    });
    const own = chosen
      // Accepted by nobody, these have no place of their own in /proc when unbound; closed ones have left the tables.
      .filter(({ sock }) => kind !== "tcp" || sock.stateName !== "CLOSE")
      .map(({ sock, tcp, queues: _queues, timeWait }: SocketEntry & { queues?: never }) => {
        const rx = tcp?.acceptQueue ?? tcp?.unreadBytes ?? 0;
        const listening = tcp?.acceptQueue !== undefined;
        const state = timeWait === undefined ? sock.state : timeWait.substate === "FIN_WAIT2" ? 5 : 6;
        const queues =
          kind === "tcp" ? `tx ${listening ? 0 : (tcp?.unacknowledgedBytes ?? 0)} rx ${rx}` : `rx ${sock.queues?.receiveBytes}`;
        const drops = kind === "tcp" ? "" : ` drops ${sock.queues?.drops}`;
        return `${hex(sock.address)} ${ownEnd(sock.local)} ${ownEnd(sock.remote)} ${state} ${queues} inode ${sock.inode ?? 0}${drops}`;
      });
    // TIME_WAIT lasts a minute; some guests died later.
    const late = (machineTime(kernel).uptime ?? 0n) > 60_000_000_000n;
    const lasting = (lines: readonly string[]) => lines.filter((line) => !late || kind !== "tcp" || !/ 6 tx /.test(line));
    sameRows(lasting(own), lasting(expected));
  });

  test("/proc/net/unix", () => {
    const expected = rows(truth, "unix").map(([address = "", , , , type, state, inode, path]) => {
      // SS_UNCONNECTED 1, SS_CONNECTED 3: of struct socket.
      return `${address.replace(":", "")} type ${Number.parseInt(type as string, 16)} ${Number(state) === 3 ? "connected" : "not"} inode ${inode} ${path ?? ""}`;
    });
    const types: Readonly<Record<string, number>> = { STREAM: 1, DGRAM: 2, SEQPACKET: 5 };
    const own = here()
      .filter(({ sock }) => sock.family === 1)
      .map(({ sock, unix }) => {
        // A stream socket is connected by its state, whether or not it was accepted (it then counts as connecting).
        const connected =
          sock.socket !== undefined && sock.type !== "DGRAM"
            ? sock.stateName === "ESTABLISHED"
            : sock.type === "DGRAM" && unix?.peer !== 0n;
        return `${hex(sock.address)} type ${types[sock.type ?? ""]} ${connected ? "connected" : "not"} inode ${sock.inode ?? 0} ${unix?.path ?? ""}`;
      });
    const bare = (line: string) => line.replace(/ (connected|not) /, " ");
    sameRows(own.map(bare), expected.map(bare));
  });

  test("/proc/net/netlink", () => {
    const expected = rows(truth, "netlink").map(
      ([address, protocol, port, groups, rmem, , , , drops, inode]) =>
        `${address} ${protocol} port ${port} groups ${groups} rmem ${rmem} drops ${drops} inode ${inode}`,
    );
    const own = here()
      .filter(({ sock }) => sock.family === 16)
      .map(({ sock, netlink }) => {
        const groups = (netlink?.groups ?? []).filter((group) => group <= 32).reduce((bits, group) => bits + 2 ** (group - 1), 0);
        return `${hex(sock.address)} ${sock.protocol} port ${netlink?.port} groups ${groups.toString(16).padStart(8, "0")} rmem ${sock.queues?.receiveBytes} drops ${sock.queues?.drops} inode ${sock.inode}`;
      });
    // The program's route socket took part in what happened after the file was read.
    const still = (line: string) => line.replace(/rmem \d+/, "");
    sameRows(own.map(still), expected.map(still));
  });

  test("/proc/net/packet", () => {
    const expected = rows(truth, "packet").map(
      ([address, , type, protocol, device, , rmem, , inode]) => `${address} ${type} ${protocol} ${device} rmem ${rmem} inode ${inode}`,
    );
    const own = here()
      .filter(({ sock }) => sock.family === 17)
      .map(({ sock, packet }) => {
        const type = sock.type === "RAW" ? 3 : 2;
        return `${hex(sock.address)} ${type} ${packet?.protocol.toString(16).padStart(4, "0")} ${packet?.device} rmem ${sock.queues?.receiveBytes} inode ${sock.inode}`;
      });
    sameRows(own, expected);
  });

  test("the program's own word of its TCP sockets: bytes that wait, and who holds them", () => {
    const list = told("tcp").filter((view) => numberField(view, "ino") !== 0);
    expect(list.length).toBeGreaterThan(10);
    for (const view of list) {
      const { sock, tcp, owners } = socketOf(view);
      // Nobody answered: it was given up between the guest's word and its death. An end may have been acknowledged since, too.
      if (sock.error !== 0 || (view.fields.get("state") === "FIN_WAIT1" && sock.stateName === "FIN_WAIT2")) continue;
      const said = `${view.name} ${view.fields.get("state")} rx ${view.fields.get("rx")} tx ${view.fields.get("tx")}`;
      // A FIN that was not read counts among the bytes of /proc/net, and a SYN among those to be sent, but not for SIOCINQ and SIOCOUTQ.
      const fin = sock.stateName === "CLOSE_WAIT" ? 1 : 0;
      const syn = sock.stateName === "SYN_SENT" ? 1 : 0;
      const listening = sock.stateName === "LISTEN";
      const rx = listening ? 0 : (tcp?.unreadBytes ?? 0) - fin;
      const tx = listening ? 0 : (tcp?.unacknowledgedBytes ?? 0) - syn;
      expect(`${view.name} ${sock.stateName} rx ${rx} tx ${tx}`).toBe(said);
      expect(owners.map(({ fd }) => fd)).toContain(numberField(view, "fd"));
    }
    expect(list.some((view) => (socketOf(view).tcp?.timers.length ?? 0) > 0)).toBe(true);
  });

  test("the peers of UNIX sockets", () => {
    const list = told("unix").filter(({ fields }) => /^[1-9]/.test(fields.get("peer") ?? ""));
    expect(list.length).toBeGreaterThan(5);
    for (const view of list) {
      const peer = byInode.get(numberField(view, "peer"));
      expect(hex(socketOf(view).unix?.peer ?? 0n), view.name).toBe(hex(peer?.sock.address ?? 1n));
    }
  });

  test("rings of AF_PACKET: requests, blocks and frames", () => {
    const rings = new Map(told("packet").map((view) => [view.name, view]));
    for (const [name, view] of rings) {
      if (view.fields.get("version") === "-") continue;
      const ring = socketOf(view).packet?.rings[0];
      expect(ring?.version, name).toBe(numberField(view, "version") + 1);
      expect(ring?.kind, name).toBe(numberField(view, "tx") === 1 ? "tx" : "rx");
      expect({ ...ring?.request }, name).toMatchObject({
        blockSize: numberField(view, "block_size"),
        blocks: numberField(view, "blocks"),
        frameSize: numberField(view, "frame_size"),
        frames: numberField(view, "frames"),
      });
    }
    const ringOf = (view: ViewTruth) => socketOf(rings.get(view.fields.get("ring") as string) as ViewTruth).packet?.rings[0];
    for (const view of told("block")) {
      const block = ringOf(view)?.blocks[numberField(view, "index")];
      expect(`${block?.owner} ${block?.packets} ${block?.sequence}`, view.name).toBe(
        `${view.fields.get("owner")} ${view.fields.get("packets")} ${view.fields.get("seq")}`,
      );
      expect(block?.problem).toBeUndefined();
    }
    const frames = told("frame");
    expect(frames.length).toBeGreaterThan(20);
    for (const view of frames) {
      const ring = ringOf(view);
      const inBlock = view.fields.get("block");
      const all = inBlock === undefined ? ring?.blocks.flatMap((block) => block.frames) : ring?.blocks[Number(inBlock)]?.frames;
      const frame = all?.find(({ index }) => index === numberField(view, "index"));
      if (frame === undefined) throw new Error(`frame ${view.name} was not found`);
      expect(frame.length, view.name).toBe(numberField(view, "len"));
      if (view.fields.has("snaplen") && ring?.kind === "rx") expect(frame.captured, view.name).toBe(numberField(view, "snaplen"));
      if (view.fields.has("owner"))
        expect(`${frame.owner} ${frame.status}`, view.name).toBe(`${view.fields.get("owner")} ${view.fields.get("status")}`);
      if (view.fields.has("sec"))
        expect(frame.timestamp, view.name).toEqual({ seconds: numberField(view, "sec"), nanoseconds: numberField(view, "nsec") });
      const bytes = view.fields.get("bytes") ?? "";
      expect(Buffer.from(kernel.memory.bytes(frame.data, bytes.length / 2)).toString("hex"), view.name).toBe(bytes);
    }
  });

  test("the capture holds every packet: of the rings, and of the queues", () => {
    const lost: string[] = [];
    const file = Uint8Array.from(Buffer.concat([...pcapng(findPackets(kernel, lost), "Inquest")]));
    expect(lost).toEqual([]);
    const capture = readPcapng(file);
    const contents = capture.packets.map(({ bytes, comment }) => ({
      hex: Buffer.from(bytes).toString("hex"),
      text: Buffer.from(bytes).toString("latin1"),
      comment: comment ?? "",
    }));
    for (const view of told("frame")) {
      const start = view.fields.get("bytes") ?? "";
      expect(
        contents.some((packet) => packet.hex.startsWith(start) && packet.comment.includes(" ring V")),
        view.name,
      ).toBe(true);
    }
    for (const view of told("queue")) {
      const payload = (view.fields.get("payload") ?? "").replaceAll("_", " ");
      const pattern = new RegExp(payload.replace(/\bN\b/, "\\w+"));
      const sock = socketOf(view).sock.address;
      const held = contents.filter(({ comment }) => comment.includes(`socket ${hex(sock)} `) && comment.includes("queue"));
      expect(held.length, view.name).toBe(numberField(view, "packets"));
      if (!/inflight/.test(view.name))
        expect(
          held.some(({ text }) => pattern.test(text)),
          `${view.name}: ${payload}`,
        ).toBe(true);
    }
    for (const view of told("tcp").filter(({ name }) => /^unread/.test(name))) {
      const mine = contents.filter(
        ({ comment }) => comment.includes(`socket ${hex(socketOf(view).sock.address)} `) && comment.includes("receive queue"),
      );
      expect(mine.length, view.name).toBeGreaterThan(0);
    }
    // What reads captures agrees, where it is installed.
    const probe = spawnSync("tshark", ["--version"]);
    if (probe.status !== 0) return;
    const dir = mkdtempSync(join(tmpdir(), "inquest-pcap-"));
    try {
      writeFileSync(join(dir, "all.pcapng"), file);
      const { stdout } = spawnSync("tshark", ["-r", join(dir, "all.pcapng"), "-T", "fields", "-e", "frame.number"], { encoding: "utf8" });
      expect(stdout.trim().split("\n").length).toBe(capture.packets.length);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test("BPF programs and maps", () => {
    const maps = bpfMaps(kernel).map(
      ({ id, name, keySize, valueSize, maxEntries, type }) => `${id} ${name} ${type} ${keySize} ${valueSize} ${maxEntries}`,
    );
    const types: Readonly<Record<number, string>> = { 1: "HASH", 2: "ARRAY" };
    for (const view of told("bpfmap"))
      expect(maps).toContain(
        `${numberField(view, "id")} ${view.name} ${types[numberField(view, "type")]} ${numberField(view, "key")} ${numberField(view, "value")} ${numberField(view, "max")}`,
      );
    for (const view of told("bpfprog")) {
      const program = bpfPrograms(kernel).find(({ id }) => id === numberField(view, "id"));
      expect(program?.name).toBe(view.name);
      expect(program?.type).toBe("SOCKET_FILTER");
      expect(program?.tag).toBe(view.fields.get("tag"));
      expect(program?.translated).toBe(numberField(view, "xlated"));
      expect(program?.jited).toBe(numberField(view, "jited"));
      expect(program?.maps.join(",")).toBe(view.fields.get("maps"));
    }
    expect(told("bpfprog").length).toBeGreaterThan(0);
  });
});
