import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FaultError, LookupError } from "../bytes/errors.ts";
import { errorJson, jsonChunks, outcomeJson } from "./json.ts";

const json = (value: unknown) => jsonChunks(value).join("");

describe("results as JSON", () => {
  it("writes addresses as hex strings and quantities as numbers", () => {
    expect(json({ address: 0xffff888000000000n, count: 3, ratio: 0.5, none: undefined, nothing: null, f: () => 1 })).toBe(
      '{"address":"0xffff888000000000","count":3,"ratio":0.5,"nothing":null}',
    );
    expect(json(Number.NaN)).toBe("null");
    expect(json(-16n)).toBe('"-0x10"');
  });

  it("drains lazy sequences", () => {
    function* frames() {
      yield { pc: 1n };
      yield { pc: 2n };
    }
    expect(
      json({
        frames: frames(),
        set: new Set([1, 2]),
        map: new Map<unknown, unknown>([
          ["a", 1],
          [16n, 2],
        ]),
      }),
    ).toBe('{"frames":[{"pc":"0x1"},{"pc":"0x2"}],"set":[1,2],"map":{"a":1,"0x10":2}}');
  });

  it("writes typed arrays", () => {
    expect(json([new Uint8Array([1, 255]), new BigUint64Array([16n]), new DataView(new ArrayBuffer(2))])).toBe('[[1,255],["0x10"],[0,0]]');
  });

  it("keeps what a terminal obeys inside escapes", () => {
    expect(json("\u001b[2J\u009b\u202e\u007f")).toBe('"\\u001b[2J\\u009b\\u202e\\u007f"');
  });

  it("makes the two kinds of line", () => {
    expect(outcomeJson("bt", ["-a"], { stacks: [] }).join("")).toBe('{"command":"bt","args":["-a"],"ok":true,"result":{"stacks":[]}}');
    expect(errorJson("sym", ["x"], new LookupError('no symbol named "x"', ["xa"])).join("")).toBe(
      '{"command":"sym","args":["x"],"ok":false,"error":{"kind":"lookup","message":"no symbol named \\"x\\" (nearest: xa)"}}',
    );
    expect(errorJson("rd", [], new TypeError("a\nb")).join("")).toContain('{"kind":"internal","message":"TypeError: a b"}');
  });

  it("shows an error that is a part of a result", () => {
    expect(json({ value: new FaultError(0x10n, "virtual", "unmapped") })).toBe(
      '{"value":{"kind":"fault","message":"virtual address 0000000000000010: not mapped"}}',
    );
  });

  it("refuses a circle", () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(() => json(circle)).toThrow("nested too deeply");
  });

  it("agrees with JSON.stringify on plain values", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(json(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("comes in chunks", () => {
    const chunks = jsonChunks(Array.from({ length: 50_000 }, (_, i) => `entry ${i}`));
    expect(chunks.length).toBeGreaterThan(5);
    expect((JSON.parse(chunks.join("")) as unknown[]).length).toBe(50_000);
  });
});
