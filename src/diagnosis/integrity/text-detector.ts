/** Code of the kernel that differs from its vmlinux in single bits: memory that fails, whatever the symptom was. */
import { hex16, virtual } from "../../bytes/address.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { isQuiet } from "./is-quiet.ts";
import { checkKernelText, type FlippedByte } from "./kernel-text.ts";

/** More flipped bits than these are patches that are not known here. */
const MOST = 8;

export const kernelText: Detector = {
  name: "kernel text",
  classes: ["hardware-error"],
  needs: ["the vmlinux of the kernel"],
  refutedBy: [
    "the kernel patched the place itself: an alternative, a call that was redirected, KASLR's offset",
    "too many such places for memory that fails",
  ],
  appliesTo: ({ kernel }) => kernel.debugInfo.vmlinux?.bytesAt !== undefined,
  detect(context) {
    const { kernel } = context;
    let around: bigint[] | undefined;
    if (!isQuiet(context)) {
      const fault = context.fault();
      if ("reason" in fault) return [];
      around = [0, 1, 2].flatMap((level) => fault.activations.at(level)?.pc ?? []);
    }
    const checked = checkKernelText(kernel, around);
    const [first] = checked?.flipped ?? [];
    if (checked === undefined || first === undefined || checked.flipped.length > MOST) return [];
    const place = kernel.symbols.byAddress(first.address);
    const where = kernel.symbolize(first.address) ?? hex16(first.address);
    const finding: Finding = {
      class: "hardware-error",
      title: `bit ${first.bit} of the code at ${where} is not as it was linked: 0x${first.found.toString(16)} instead of 0x${first.expected.toString(16)}`,
      checks: [
        { what: "the byte differs from the vmlinux in one bit, and none around it does", result: "held" },
        { what: "the place is in no alternative, no address that KASLR moves, and no call that was redirected", result: "held" },
      ],
      baseRate: { what: "pages of code with such a byte", tried: checked.pages, fired: checked.flipped.length },
      rarity: true,
      depth: "cause",
      address: first.address,
      ...(place === undefined ? {} : { place: { function: place.symbol.name } }),
      object: { type: "kernel text", address: first.address },
      story: [
        `The kernel's code was compared with its vmlinux: ${checked.pages} pages.`,
        `At ${where} one bit differs, which no part of the kernel changes by itself: memory failed, or something wrote to it past all protection.`,
        ...(checked.flipped.length > 1 ? [`${checked.flipped.length} such bits were found.`] : []),
      ],
      evidence: checked.flipped.map((each) => ({
        claim: `the byte at ${hex16(each.address)} is 0x${each.found.toString(16)}, the vmlinux has 0x${each.expected.toString(16)}`,
        command: `rd -8 ${hex16(each.address)} 8`,
        values: wordOf(each, (address) => kernel.memory.tryU64(virtual(address))),
      })),
    };
    return [finding];
  },
};

/** The word that begins with the byte. */
function wordOf({ address }: FlippedByte, read: (address: bigint) => bigint | undefined): { address: bigint; value: bigint }[] {
  const value = read(address);
  return value === undefined || value >> 32n === 0n ? [] : [{ address, value }];
}
