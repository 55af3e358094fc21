import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { demangleRust, demangleRustIn } from "./rust-names.ts";

describe("demangleRust", () => {
  // Examples of RFC 2603 and of its reference implementation's documentation.
  test.each([
    ["_RNvCs1234_7mycrate3foo", "mycrate::foo"],
    ["_RNvC6_123foo3bar", "123foo::bar"],
    ["_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"],
    ["_RNvMCs1234_7mycrateNtB2_3Foo3bar", "<mycrate::Foo>::bar"],
    ["_RNCNvCs1234_7mycrate4main0B3_", "mycrate::main::{closure#0}"],
    ["_RNCNvCs1234_7mycrate4mains_0B3_", "mycrate::main::{closure#1}"],
    ["_RINvCs1234_7mycrate3foolE", "mycrate::foo::<i32>"],
    // A kernel's own, with 64-bit crate hashes and the crate that asked for it.
    [
      "_RINvNtCsbZfwWpAStWS_4core9panicking13assert_failedINtNtB4_6option6OptionjEBM_EB4_",
      "core::panicking::assert_failed::<core::option::Option<usize>, core::option::Option<usize>>",
    ],
    ["_RINvCs1234_7mycrate3fooRShE", "mycrate::foo::<&[u8]>"],
    ["_RINvCs1234_7mycrate3fooTlmEE", "mycrate::foo::<(i32, u32)>"],
    ["_RINvCs1234_7mycrate3fooAhj8_E", "mycrate::foo::<[u8; 8]>"],
    ["_RINvCs1234_7mycrate3fooFUKClEuE", 'mycrate::foo::<unsafe extern "C" fn(i32)>'],
    ["_RINvCs1234_7mycrate3fooKb1_E", "mycrate::foo::<true>"],
    ["_RINvCs1234_7mycrate3fooKln2a_E", "mycrate::foo::<-42>"],
    ["_RNvXCs1234_7mycrateNtB2_3FooNtB2_3Bar3baz", "<mycrate::Foo as mycrate::Bar>::baz"],
    ["_RNvYNtCs1234_7mycrate3FooNtB4_3Bar3baz", "<mycrate::Foo as mycrate::Bar>::baz"],
    ["_RINvCs1234_7mycrate3fooDNtB2_3BarEL_E", "mycrate::foo::<dyn mycrate::Bar>"],
    ["_RNvC3fooX", undefined],
    ["_ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic"],
    [
      "_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE",
      "<alloc::string::String as core::fmt::Display>::fmt",
    ],
    ["_ZN3foo3barE", undefined],
    ["_Rprintk", undefined],
    ["printk", undefined],
  ])("%s", (symbol, name) => {
    expect(demangleRust(symbol)).toBe(name);
  });

  test("references that chase each other and deep nesting end", () => {
    expect(demangleRust("_RB_")).toBeUndefined();
    expect(demangleRust(`_RNvC1a${"I".repeat(5000)}`)).toBeUndefined();
    expect(demangleRust(`_RIC1a${"R".repeat(5000)}hE`)).toBeUndefined();
    // Each pair of references doubles what is written.
    const bomb = `_RINvC1a1b${Array.from({ length: 40 }, () => "TB9_B9_E").join("")}E`;
    expect(() => demangleRust(bomb)).not.toThrow();
  });

  test("any text gives a name or undefined", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."_RNvCMXYIBTRSAFDEKLslph0123456789z") }), (tail) => {
        const name = demangleRust(`_R${tail}`);
        expect(name === undefined || name.length <= 4096).toBe(true);
      }),
    );
  });

  test("names in a text are replaced, the rest stays", () => {
    expect(demangleRustIn(" ? _RNvNtCs1234_7mycrate3foo3bar.llvm.77+0x12/0x40 [mod] _Rx ")).toBe(
      " ? mycrate::foo::bar.llvm.77+0x12/0x40 [mod] _Rx ",
    );
  });
});
