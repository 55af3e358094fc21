import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha256 } from "./sha256.ts";
import { signatureOf } from "./signature.ts";

test("is SHA-256, at the edges of the blocks too", () => {
  for (const length of [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 1000]) {
    const text = "ä".repeat(length >> 1) + "x".repeat(length & 1);
    expect(sha256(text)).toBe(createHash("sha256").update(text).digest("hex"));
  }
});

test("what is kin is all but the member", () => {
  const typed = signatureOf("bad-free", ["free_async"], "urb.transfer_buffer");
  const untyped = signatureOf("bad-free", ["free_async"]);
  expect(typed.kin).toBe(untyped.kin);
  expect(typed.hash).not.toBe(untyped.hash);
  expect(untyped.kin).toBe(untyped.hash);
});

test("of a module's own function the member says enough, whoever called it; not so in the kernel's core", () => {
  expect(signatureOf("bad-free", ["free_async", "reap_as"], "urb.transfer_buffer", "usbcap").text).toBe(
    "bad-free|free_async|urb.transfer_buffer",
  );
  expect(signatureOf("bad-free", ["free_async", "reap_as"], undefined, "usbcap").text).toBe("bad-free|free_async|reap_as");
  expect(signatureOf("bad-free", ["kfree_skb", "f"], "sk_buff.head").text).toBe("bad-free|kfree_skb|f|sk_buff.head");
});

test("a signature names three functions at most", () => {
  const signature = signatureOf("use-after-free", ["a", "b", "c", "d"], "sock.sk_prot");
  expect(signature.text).toBe("use-after-free|a|b|c|sock.sk_prot");
  expect(signature.hash).toMatch(/^[0-9a-f]{12}$/);
});
