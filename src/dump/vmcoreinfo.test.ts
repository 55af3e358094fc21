import { describe, expect, it } from "vitest";
import { VmcoreInfo } from "./vmcoreinfo.ts";

const info = new VmcoreInfo(
  [
    "OSRELEASE=6.1.0-56-cloud-amd64",
    "BUILD-ID=3b43fad5034874490492495d552c0af6a5fab235",
    "PAGESIZE=4096",
    "SYMBOL(_stext)=ffffffff95c00000",
    "SIZE(page)=64",
    "OFFSET(page.flags)=0",
    "OFFSET(list_head.next)=0",
    "LENGTH(mem_section)=2048",
    "NUMBER(phys_base)=-247463936",
    "NUMBER(sme_mask)=0",
    "NUMBER(VA_BITS)=48",
    "NUMBER(kimage_voffset)=0xffffbfc047a00000",
    "NUMBER(broken)=12x",
    "KERNELOFFSET=15c00000",
    "CRASHTIME=1795166000",
    "CONFIG_X=a=b",
    "no equals sign",
  ].join("\n"),
);

describe("VmcoreInfo", () => {
  it("looks up typed values", () => {
    expect(info.osrelease).toBe("6.1.0-56-cloud-amd64");
    expect(info.buildId).toBe("3b43fad5034874490492495d552c0af6a5fab235");
    expect([info.pageSize, info.crashTime, info.kernelOffset]).toEqual([4096, 1795166000, 0x15c00000n]);
    expect(info.symbol("_stext")).toBe(0xffffffff95c00000n);
    expect([info.size("page"), info.offset("page.flags"), info.length("mem_section")]).toEqual([64, 0, 2048]);
  });

  it("reads numbers as each kernel prints them: decimal, negative, hex", () => {
    expect([info.number("phys_base"), info.number("VA_BITS"), info.number("kimage_voffset")]).toEqual([
      -247463936n,
      48n,
      0xffffbfc047a00000n,
    ]);
    expect(info.number("sme_mask")).toBe(0n);
  });

  it("answers undefined for what is missing or not a number", () => {
    expect([info.number("broken"), info.number("absent"), info.symbol("absent"), info.size("absent"), info.get("no equals sign")]).toEqual(
      new Array(5).fill(undefined),
    );
    expect(info.get("CONFIG_X")).toBe("a=b");
    expect([...info.keys()][0]).toBe("OSRELEASE");
  });

  it.each(["", "zz", "0000000000000000000000000000000000000000", "\u0001\u0002garbage"])("does not take %j for a build-id", (value) => {
    expect(new VmcoreInfo(`BUILD-ID=${value}\n`).buildId).toBeUndefined();
  });
});
