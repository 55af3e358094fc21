/** Composes the tables of kallsyms in an image, in any order, encoding and alignment that kernels have had. */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";
import type { KallsymsLocation } from "../kallsyms.ts";
import type { AddressEncoding } from "../kallsyms-addresses.ts";

/** Address, type letter, name. */
export type BuiltSymbol = readonly [bigint, string, string];

export interface KallsymsShape {
  readonly encoding: AddressEncoding;
  /** "new" is that of 6.4 on: addresses behind the tokens. */
  readonly order: "old" | "new";
  readonly alignment?: 4 | 8;
  /** 8 before 4.20. */
  readonly markerSize?: 4 | 8;
  /** kallsyms_seqs_of_names, 6.2 on. */
  readonly seqs?: boolean;
  /** Bytes before the tables. */
  readonly lead?: number;
}

export interface BuiltKallsyms {
  readonly image: Uint8Array;
  readonly start: VirtualAddress;
  readonly location: KallsymsLocation;
}

/** Some strings as frequent in kernel symbols as the compressor finds them. */
const FREQUENT = ["tinit_", "tsys_", "tfunction_", "_probe", "_exit", "tcp_", "D", "Tfunction_", "_0000", "start", "ction"];

/** Builds an image at `start` whose relative base is the lowest kernel address. Symbols must ascend. */
export function buildKallsyms(symbols: readonly BuiltSymbol[], start: bigint, shape: KallsymsShape): BuiltKallsyms {
  const alignment = shape.alignment ?? 8;
  const tokens = makeTokens(symbols);
  const out = new ByteWriter().padTo(shape.lead ?? 4096);
  const base = symbols.find(([address]) => address > 0xffff000000000000n)?.[0] ?? 0n;
  const label = (align: number = alignment) => {
    out.padTo(Math.ceil(out.length / align) * align);
    return add(virtual(start), out.length);
  };

  let offsets: VirtualAddress | undefined;
  let addresses: VirtualAddress | undefined;
  let relativeBase: VirtualAddress | undefined;
  const putAddresses = () => {
    const place = label();
    if (shape.encoding === "absolute") addresses = place;
    else offsets = place;
    let at = out.length;
    for (const [address] of symbols) {
      if (shape.encoding === "absolute") out.u64(at, address);
      else out.u32(at, Number(BigInt.asUintN(32, encode(shape.encoding, address, base, start + BigInt(at)))));
      at = out.length;
    }
    if (shape.encoding === "base-relative" || shape.encoding === "percpu-absolute") {
      relativeBase = label(8);
      out.u64(out.length, base);
    }
  };

  if (shape.order === "old") putAddresses();
  const numSyms = label();
  out.u32(out.length, symbols.length);
  const names = label();
  const first = out.length;
  const marks: number[] = [];
  symbols.forEach(([, type, name], index) => {
    if (index % 256 === 0) marks.push(out.length - first);
    out.append(compress(type + name, tokens));
  });
  const markers = label();
  for (const mark of marks) {
    if (shape.markerSize === 8) out.u64(out.length, mark);
    else out.u32(out.length, mark);
  }
  const putSeqs = () => {
    label();
    out.append(Uint8Array.from(symbols.flatMap((_, i) => [(i >> 16) & 255, (i >> 8) & 255, i & 255])));
  };
  if (shape.seqs === true && shape.order === "old") putSeqs();
  const tokenTable = label();
  const index: number[] = [];
  const table = out.length;
  for (const token of tokens) {
    index.push(out.length - table);
    out.append(Uint8Array.from([...token, "\0"], (one) => one.charCodeAt(0)));
  }
  const tokenIndex = label();
  for (const one of index) out.u16(out.length, one);
  if (shape.order === "new") {
    putAddresses();
    if (shape.seqs === true) putSeqs();
  }
  out.padTo(out.length + 4096);
  const location = {
    numSyms,
    names,
    tokenTable,
    tokenIndex,
    offsets,
    relativeBase,
    addresses,
    markers: shape.markerSize === 8 ? undefined : markers,
  };
  return { image: out.finish(), start: virtual(start), location };
}

function encode(encoding: AddressEncoding, address: bigint, base: bigint, place: bigint): bigint {
  if (encoding === "place-relative") return address - place;
  if (encoding === "base-relative") return address - base;
  return address < 0x80000000n ? address : base - 1n - address;
}

function makeTokens(symbols: readonly BuiltSymbol[]): string[] {
  const used = new Set(symbols.flatMap(([, type, name]) => [...type, ...name]).map((one) => one.charCodeAt(0)));
  let next = 0;
  return Array.from({ length: 256 }, (_, code) => {
    if (used.has(code) || (code >= 0x30 && code <= 0x39)) return String.fromCharCode(code);
    return `${FREQUENT[next++ % FREQUENT.length]}${next > FREQUENT.length ? String.fromCharCode(0x61 + (next % 26), 0x61 + ((next * 7) % 26)) : ""}`;
  });
}

/** Greedy, longest token first; lengths of 128 and more take two bytes. */
function compress(text: string, tokens: readonly string[]): Uint8Array {
  const codes: number[] = [];
  for (let at = 0; at < text.length; ) {
    let best = text.charCodeAt(at);
    for (const [code, token] of tokens.entries()) {
      if (token.length > (tokens[best] as string).length && text.startsWith(token, at)) best = code;
    }
    codes.push(best);
    at += (tokens[best] as string).length;
  }
  const length = codes.length < 128 ? [codes.length] : [(codes.length & 0x7f) | 0x80, codes.length >> 7];
  return Uint8Array.from([...length, ...codes]);
}
