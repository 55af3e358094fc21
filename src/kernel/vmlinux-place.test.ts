import { describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { FormatError } from "../bytes/errors.ts";
import type { KernelSymbol, SymbolTable } from "../debug-info/symbols.ts";
import { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { Memory } from "./address-space.ts";
import type { VmlinuxFile } from "./debug-info.ts";
import { linkBias, type PlaceInput } from "./vmlinux-place.ts";

const BANNER = "Linux version 6.1.0 (build@host) #1 SMP";
const LINKED_BANNER = 0xffffffff82000100n;

function table(symbols: Readonly<Record<string, bigint>>): SymbolTable {
  const byName = (name: string): KernelSymbol | undefined => {
    const address = symbols[name];
    return address === undefined ? undefined : { name, address: virtual(address), type: "T", module: undefined, size: undefined };
  };
  return { byName } as unknown as SymbolTable;
}

function vmlinux(parts: { sections?: Record<string, bigint>; symbols?: Record<string, bigint>; banner?: string }): VmlinuxFile {
  return {
    path: "vmlinux",
    symbols: parts.symbols === undefined ? undefined : table(parts.symbols),
    banner: parts.banner,
    buildId: undefined,
    describe: () => undefined,
    section: (name) => {
      const address = parts.sections?.[name];
      return address === undefined ? undefined : { address, size: 4096 };
    },
    bytesAt: () => undefined,
  };
}

function input(parts: Partial<PlaceInput>): PlaceInput {
  return {
    vmlinux: vmlinux({}),
    kallsyms: undefined,
    memory: {} as Memory,
    image: () => [],
    info: undefined,
    file: "vmcore",
    ...parts,
  };
}

describe("linkBias", () => {
  it("compares the dump's _text with the file's first text section, arm64's head before .text", () => {
    const kallsyms = table({ _text: 0xffffa00010000000n });
    const file = vmlinux({ sections: { ".head.text": 0xffff800010000000n, ".text": 0xffff800010010000n } });
    expect(linkBias(input({ kallsyms, vmlinux: file }))).toBe(0x200000000000n);
  });

  it("takes VMCOREINFO's _stext against the file's, else KERNELOFFSET", () => {
    const info = new VmcoreInfo("SYMBOL(_stext)=ffffffff9b000000\nKERNELOFFSET=1b000000\n");
    expect(linkBias(input({ info, vmlinux: vmlinux({ symbols: { _stext: 0xffffffff81000000n } }) }))).toBe(0x1a000000n);
    expect(linkBias(input({ info }))).toBe(0x1b000000n);
  });

  it("finds the file's banner in the image, where the whole line must stand", () => {
    const bytes = new Uint8Array(0x2000);
    bytes.set(new TextEncoder().encode(`${BANNER.slice(0, 20)}9`), 0x100);
    bytes.set(new TextEncoder().encode(BANNER), 0x1100);
    const start = 0xffffffff92000000n;
    const memory = {
      tryBytes: (address: VirtualAddress, length: number) => bytes.slice(Number(address - start), Number(address - start) + length),
    } as unknown as Memory;
    const file = vmlinux({ symbols: { linux_banner: LINKED_BANNER }, banner: `${BANNER}\n` });
    const image = () => [{ address: virtual(start), bytes }];
    expect(linkBias(input({ vmlinux: file, memory, image }))).toBe(start + 0x1100n - LINKED_BANNER);
  });

  it("says that it cannot tell", () => {
    expect(() => linkBias(input({}))).toThrow(FormatError);
  });
});
