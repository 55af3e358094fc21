import { expect, test } from "vitest";
import { rustName } from "./rust-names.ts";

test.each([
  ["_RNvCs1234_7mycrate3foo", "mycrate::foo"],
  ["_RNvNtCs1234_7mycrate3bar3foo", "mycrate::bar::foo"],
  ["_RNvMs0_NtCs1234_7mycrate3barNtB5_3Baz3foo", "<mycrate::bar::Baz>::foo"],
  ["_RNvXs0_Cs1234_7mycrateNtB5_3BazNtNtCs5678_6kernel3fmt4Show3fmt", "<mycrate::Baz as kernel::fmt::Show>::fmt"],
  ["_RINvCs1234_7mycrate3foohE", "mycrate::foo<u8>"],
  ["_RNCNvCs1234_7mycrate3foo0", "mycrate::foo::{closure}"],
])("%s", (mangled, name) => {
  expect(rustName(mangled)).toBe(name);
});

test("what is not understood stays, and nothing loops", () => {
  expect(rustName("_RNvB_3foo")).toBe("_RNvB_3foo");
  expect(rustName("_Rubbish")).toBe("_Rubbish");
  expect(rustName("vfs_read")).toBe("vfs_read");
});
