/** `net`: interfaces, neighbours, sockets, packets; each option is a view in net/. */
import { UsageError } from "../bytes/errors.ts";
import { ipv4OfWord } from "../linux/net/address-text.ts";
import { netApi } from "./api/views.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type Command, defineCommand, type Layout, type Session } from "./command.ts";
import { interfaces } from "./net/interfaces.ts";
import { neighbourTables } from "./net/neighbours.ts";
import { capture, packets } from "./net/packets.ts";
import { sockets } from "./net/sockets.ts";
import { ofTask } from "./net/task-sockets.ts";
import type { NetView } from "./net/view.ts";
import type { SavedBytes } from "./saved-bytes.ts";

/** Those whose options are given are shown in this order. One a line, so that additions do not collide. */
// biome-ignore format: one a line
const VIEWS: readonly NetView[] = [
  neighbourTables,
  ofTask,
  sockets,
  packets,
  capture,
  interfaces,
];

export interface NetResult {
  /** -N. */
  readonly address?: string;
  readonly parts: readonly { readonly view: NetView; readonly data: object }[];
  /** --pcap. */
  readonly save?: SavedBytes;
  toJSON(): Record<string, unknown>;
}

export const net: Command<NetResult> = defineCommand<NetResult>({
  spec: {
    name: "net",
    summary: "network devices, neighbours, sockets, packets",
    synopsis: [...VIEWS.flatMap(({ synopsis = [] }) => synopsis), "-N addr"],
    description: [
      "Without options: the network devices of the initial namespace with their IPv4 and IPv6 addresses.",
      ...VIEWS.flatMap(({ description = [] }) => description),
    ],
    options: [
      ...VIEWS.flatMap(({ options, modifiers = [] }) => [...options, ...modifiers]),
      {
        flag: "-N",
        argument: "addr",
        help: "an IPv4 address as the kernel keeps it (a decimal or hexadecimal word) in dots-and-numbers notation",
      },
    ],
    operands: ["task"],
    examples: [...VIEWS.flatMap(({ examples = [] }) => examples), ["net -N 0100007f", "127.0.0.1"]],
    differences: VIEWS.flatMap(({ differences = [] }) => differences),
  },
  run(session, args) {
    const word = args.value("-N");
    if (word !== undefined) {
      const address = dotted(word);
      return { address, parts: [], toJSON: () => ({ address }) };
    }
    const parts = chosenViews(args).map((view) => ({ view, data: view.run(session, args) }));
    const save = parts.map(({ data }) => data.save).find((each) => each !== undefined);
    return { parts, ...(save === undefined ? {} : { save }), toJSON: () => Object.assign({}, ...parts.map(({ data }) => data)) };
  },
  *text({ address, parts }, layout: Layout) {
    if (address !== undefined) yield address;
    for (const { view, data } of parts) yield* view.text(data, layout);
  },
  api(session: Session, args) {
    const word = args.value("-N");
    return netApi(session, args, word === undefined ? undefined : dotted(word));
  },
});

function chosenViews(args: ParsedArguments): readonly NetView[] {
  const chosen = VIEWS.filter(({ options }) => options.some(({ flag }) => args.has(flag)));
  const known = new Set((chosen.length === 0 ? [interfaces] : chosen).flatMap(({ modifiers = [] }) => modifiers.map(({ flag }) => flag)));
  for (const { options, modifiers = [] } of VIEWS) {
    const stray = modifiers.find(({ flag }) => args.has(flag) && !known.has(flag));
    if (stray !== undefined) throw new UsageError(`${stray.flag} goes with ${options.map(({ flag }) => flag).join(" or ")}`);
  }
  if (chosen.length === 0 && args.operands.length > 0)
    throw new UsageError(`usage: net ${net.spec.synopsis.map((each) => `[${each}]`).join(" ")}`);
  return chosen.length === 0 ? [interfaces] : chosen;
}

/** The four bytes of the word from the lowest up: it was read from memory as a little-endian number. */
function dotted(text: string): string {
  const plain = text.replace(/^0x/i, "");
  const decimal = plain === text && /^\d+$/.test(text) && !/^0\d/.test(text);
  if (!/^[0-9a-f]+$/i.test(plain)) throw new UsageError(`not a valid number: ${text}`);
  const value = decimal ? BigInt(text) : BigInt(`0x${plain}`);
  if (value > 0xffff_ffffn) throw new UsageError(`${text} is no IPv4 address: it is wider than 32 bits`);
  return ipv4OfWord(Number(value));
}
