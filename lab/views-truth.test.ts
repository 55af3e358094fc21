import { expect, test } from "vitest";
import { numberField, numbersField, parseViews } from "./views-truth.ts";

test("lines of other things are passed over, fields are by name", () => {
  const [lock, file, ...more] = parseViews(
    "[    1.0] noise\nLABVIEW lock mutex ffffffffc04ce160 kind=mutex holders=107 waiters=108,109\nLABVIEW file epoll - fd=10 path=-\n",
    "kernel",
  );
  expect(more).toEqual([]);
  expect(lock).toMatchObject({ kind: "lock", name: "mutex", address: 0xffffffffc04ce160n, from: "kernel" });
  expect(numbersField(lock!, "waiters")).toEqual([108, 109]);
  expect(numberField(lock!, "holders")).toBe(107);
  expect(file?.address).toBeUndefined();
  expect(numbersField(file!, "path")).toEqual([]);
  expect(() => numberField(file!, "path")).toThrow("file epoll: no number path");
});
