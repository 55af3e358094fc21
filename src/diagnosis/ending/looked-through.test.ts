import { expect, it } from "vitest";
import type { Dump } from "../../dump/dump.ts";
import { openDump } from "../../dump/open.ts";
import { openKernelOf } from "../../kernel/open.ts";
import { taskTable } from "../../linux/task.ts";
import { taskLayout } from "../../linux/task-layout.ts";
import { lookedThroughCheck, nobodySpinsCheck } from "./looked-through.ts";

/** A dump whose page `missing` was left out, or whose file was cut. */
function changed(dump: Dump, missing: number, incomplete = false): Dump {
  return new Proxy(dump, {
    get(target, name) {
      if (name === "incomplete") return incomplete;
      if (name === "readPage")
        return (pfn: number, page: Uint8Array) => (pfn === missing ? { reason: "excluded" } : target.readPage(pfn, page));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

it("says that nothing else is wrong only of a whole dump", async () => {
  const dump = await openDump(["samples/x86-64-hung-tasks/vmcore"]);
  const kernel = openKernelOf(dump);
  expect(lookedThroughCheck(kernel).result).toBe("held");
  expect(lookedThroughCheck(openKernelOf(changed(dump, -1, true))).result).toBe("not possible");
  const running = taskTable(kernel).tasks.find(({ active }) => active);
  const stack = kernel.memory.translate(taskLayout(kernel).stack.pointer(running?.address ?? (0n as never)));
  expect(lookedThroughCheck(openKernelOf(changed(dump, Number(stack >> 12n)))).result).toBe("not possible");
});

it("asks of every CPU whether it spun for a lock", async () => {
  const kernel = openKernelOf(await openDump(["samples/x86-64-hung-tasks/vmcore"]));
  expect(nobodySpinsCheck(kernel)).toEqual({ what: "no CPU was stopped while it spun for a lock", result: "held" });
});
