/** An address's identity in words: one line a role for `whatis ADDRESS`, a few words for annotated memory. */
import { hex16 } from "../bytes/address.ts";
import type { AddressIdentity, AddressRole, ObjectState } from "../linux/address-identity.ts";

/** "allocated", "free: cpu 1 freelist", "state unknown: …". */
export function stateText({ state, where, reason }: ObjectState): string {
  if (state === "unknown") return `state unknown${reason === undefined ? "" : `: ${reason}`}`;
  return where === undefined ? state : `${state}: ${where}`;
}

/** "+0x10", "−0x8", nothing for 0. */
export function offsetText(offset: number): string {
  if (offset === 0) return "";
  return `${offset < 0 ? "-" : "+"}0x${Math.abs(offset).toString(16)}`;
}

function taskText({ pid, comm }: { readonly pid: number; readonly comm: string }): string {
  return `task ${pid} (${comm})`;
}

function errorText({ errno, name }: { readonly errno: number; readonly name?: string }): string {
  return name === undefined ? `-${errno}` : `-${name}`;
}

/** One role as a sentence without a full stop. */
export function roleText(role: AddressRole): string {
  switch (role.kind) {
    case "symbol": {
      const owner = role.module === undefined ? "" : ` [${role.module}]`;
      return `the symbol ${role.name}${offsetText(role.offset)}${owner}${role.section === undefined ? "" : `, in ${role.section}`}`;
    }
    case "slab object": {
      const { cache, object, offset, objectSize, state } = role;
      const what = `slab cache ${cache} (${objectSize} bytes), ${stateText(state)}`;
      if (offset === 0) return `an object of ${what}`;
      const place = offset < 0 ? "in the red zone before" : offset < objectSize ? `${hexOf(offset)} bytes into` : "behind";
      return `${place} object ${hex16(object)} of ${what}`;
    }
    case "slab":
      return `in a slab of cache ${role.cache}, outside its objects (struct page ${hex16(role.page)})`;
    case "task stack":
    case "CPU stack": {
      const owner =
        role.task === undefined
          ? `${role.name ?? "?"} stack of ${role.cpu === undefined ? "the machine" : `CPU ${role.cpu}`}`
          : `stack of ${taskText(role.task)}`;
      const size = Number(role.high - role.low);
      return `on the ${owner}, ${hexOf(role.offset)} of ${hexOf(size)} bytes above its low end ${hex16(role.low)}`;
    }
    case "task":
      return `${within(role.offset)}task_struct of ${taskText(role.task)}`;
    case "module":
      return `in module ${role.module}, ${role.section}${offsetText(role.offset)}`;
    case "per-CPU variable": {
      const owner = role.module === undefined ? "" : ` [${role.module}]`;
      const what = role.name === undefined ? "memory of alloc_percpu()" : `variable ${role.name}${offsetText(role.offset)}${owner}`;
      return `per-CPU ${what} of CPU ${role.cpu} (__percpu pointer ${hexOf(role.pointer)})`;
    }
    case "vmalloc area": {
      const by = role.caller === undefined ? "" : `, allocated by ${role.caller}`;
      const flags = role.flags.length === 0 ? "" : ` (${role.flags.join(", ")})`;
      const what = role.freed === true ? "vmalloc area that was given back," : "vmalloc area";
      return `in the ${what} ${hex16(role.start)} - ${hex16(role.end)}${flags}${by}`;
    }
    case "struct page":
      return `${within(role.offset)}struct page of frame ${hexOf(role.pfn)}`;
    case "page":
      return `in page frame ${hexOf(role.pfn)}: ${role.use}${role.flags.length === 0 ? "" : `; flags ${role.flags.join(",")}`} (struct page ${hex16(role.page)})`;
    case "mapping": {
      const owner = role.task === undefined ? "" : ` of ${taskText(role.task)}`;
      const what = role.file === undefined ? (role.name ?? "anonymous memory") : `${role.file} at ${hexOf(role.fileOffset ?? 0n)}`;
      return `in the mapping ${role.start.toString(16)} - ${role.end.toString(16)}${owner}: ${what} (vm_area_struct ${hex16(role.vma)})`;
    }
    case "poison":
      return `poison ${role.name}${offsetText(role.offset)}: ${role.meaning}`;
    case "error pointer":
      return `error pointer ${errorText(role)}`;
  }
}

/** "0x10 bytes into the ". */
function within(offset: number): string {
  return offset === 0 ? "the " : `${hexOf(offset)} bytes into the `;
}

function hexOf(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** Where the address lies, in words. */
export function regionText({ region, regionName }: AddressIdentity): string {
  switch (region) {
    case "null":
      return "NULL plus an offset: a member of a structure that is not there";
    case "error pointer":
      return "the last 4095 addresses, where ERR_PTR() puts errors";
    case "poison":
      return "poison";
    case "non-canonical":
      return "no address of this machine (non-canonical)";
    case "user":
      return "user memory";
    case "fixed":
      return regionName ?? "a fixed mapping";
    case "unknown":
      return "a part of the kernel half that no region is known for";
    default:
      return regionName === undefined ? region : `${region}, ${regionName}`;
  }
}

/**
 * A few words for a word of memory: "schedule+0x4", "[kmalloc-32+0x8 free: cpu 1 freelist]", "stack of 1 (init)". undefined where nothing
 * is known that is worth a word: small numbers, user addresses.
 */
export function briefText({ roles, address, region }: AddressIdentity): string | undefined {
  const role = roles[0];
  if (role === undefined) return undefined;
  switch (role.kind) {
    case "symbol":
      return `${role.name}${offsetText(role.offset)}${role.module === undefined ? "" : ` [${role.module}]`}`;
    case "slab object": {
      const { cache, offset, objectSize, state } = role;
      return `[${offset < objectSize ? "" : "behind "}${cache}${offset < objectSize ? offsetText(offset) : ""}${state.state === "free" ? ` ${stateText(state)}` : ""}]`;
    }
    case "slab":
      return `[${role.cache}: between objects]`;
    case "task stack":
      return role.task === undefined ? "a task's stack" : `stack of ${role.task.pid} (${role.task.comm})`;
    case "CPU stack":
      return `${role.name ?? "?"} stack${role.cpu === undefined ? "" : ` of CPU ${role.cpu}`}`;
    case "task":
      return `[task ${role.task.pid} (${role.task.comm})${offsetText(role.offset)}]`;
    case "module":
      return `module ${role.module} ${role.section}${offsetText(role.offset)}`;
    case "per-CPU variable":
      return `${role.name ?? `percpu ${hexOf(role.pointer)}`}${offsetText(role.offset)} of CPU ${role.cpu}`;
    case "vmalloc area":
      if (region === "kernel image") return "kernel image";
      return `vmalloc${offsetText(Number(address - role.start))}${role.caller === undefined ? "" : ` by ${role.caller}`}`;
    case "struct page":
      return `page of frame ${hexOf(role.pfn)}${offsetText(role.offset)}`;
    case "page":
      return region === "linear map" ? `page: ${role.use}` : undefined;
    case "mapping":
      return role.file ?? role.name ?? "anonymous";
    case "poison":
      return `${role.name}${offsetText(role.offset)}`;
    case "error pointer":
      // All ones are mostly a mask or "none".
      return role.errno === 1 ? undefined : errorText(role);
  }
}
