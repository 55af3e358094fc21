import { describe, expect, test } from "vitest";
import { ALL_TOOLS, isPassedOver, TRACE_TOOLS } from "./passed-over.ts";
import { CPU, explained, TAIL } from "./testing/explained.ts";

/** As the kernel's source has them: who has state of its own, or only looks like a tool by the first letters of its name. */
const NAMED = [
  ..."print_reg_state __uprobe_unregister __update_extent_tree_range bitmap_ip_add bitmap_port_ext_cleanup resource_list_insert clock_was_set".split(
    " ",
  ),
  ..."atomic_open atomic_notifier_call_chain local_cleanup mark_blocks_used download_fw warn_crc32c_csum_combine sort_by_cost".split(" "),
  ..."preempt_notifier_register ftrace_modify_all_code queued_io_done error_context flags_show trace_event_enable_disable".split(" "),
  ..."mod_timer add_timer hrtimer_start_range_ns klist_iter_exit lockref_get __lock_sock percpu_ref_put put_device xas_create_range put_page __folio_put release_pages".split(
    " ",
  ),
  ..."__alloc_skb __filemap_get_folio __flush_workqueue set_bitmap_file unregister_netdevice_notifier".split(" "),
];

const TOOLS = [
  ..."print_address_description print_circular_bug print_report print_usage_bug.cold __up_read up_write down_trylock __down_read down".split(
    " ",
  ),
  ..."hex_string ip6_addr_string mac_address_string string_nocheck pointer number __bitmap_and bitmap_zero find_next_bit set_bit".split(
    " ",
  ),
  ..."atomic_inc _atomic_dec_and_lock arch_atomic64_add raw_atomic_read local_bh_enable __local_bh_enable_ip preempt_count_add".split(" "),
  ..."queued_spin_lock_slowpath native_queued_spin_lock_slowpath pv_wait_head_or_lock mark_lock mark_held_locks look_up_lock_class".split(
    " ",
  ),
  ..."queue_rcu_work queue_delayed_work_on cancel_delayed_work_sync try_to_grab_pending flush_work del_timer_sync kvcalloc kvrealloc_noprof".split(
    " ",
  ),
  ..."ftrace_caller ftrace_graph_caller trace_event_raw_event_sched_switch owner_on_cpu osq_unlock warn_alloc".split(" "),
];

test.each(NAMED)("%s is named", (name) => {
  expect(isPassedOver(name, TRACE_TOOLS)).toBe(false);
});

test.each(TOOLS.map((name) => name.replace(".cold", "")))("%s is passed over", (name) => {
  expect(isPassedOver(name, TRACE_TOOLS)).toBe(true);
});

test("in memory the makers and timers are tools too", () => {
  for (const name of "mod_timer __alloc_skb put_device klist_next __filemap_get_folio put_page folio_put release_pages".split(" "))
    expect(isPassedOver(name, ALL_TOOLS)).toBe(true);
});

const warning = (file: string, name: string, ...frames: string[]): string | undefined =>
  explained(
    `WARNING: CPU: 1 PID: 2 at ${file} ${name}+0x12/0x40`,
    CPU,
    `RIP: 0010:${name}+0x12/0x40`,
    "Call Trace:",
    ...frames.map((frame) => ` ${frame}+0x1/0x20`),
    ...TAIL,
  ).verdict.function;

describe("what a check has between itself and the code it speaks of", () => {
  test("lib/debugobjects.c: the free that found an active object", () => {
    expect(warning("lib/debugobjects.c:505", "debug_print_object", "debug_check_no_obj_freed", "kfree", "widget_free")).toBe("widget_free");
    expect(
      warning("lib/debugobjects.c:505", "debug_print_object", "debug_object_activate", "call_rcu", "queue_rcu_work", "widget_put"),
    ).toBe("widget_put");
  });
  test("lib/kobject.c: who registered the device", () => {
    expect(warning("lib/kobject.c:236", "kobject_add_internal", "kobject_add", "device_add", "widget_register")).toBe("widget_register");
    expect(warning("drivers/base/core.c:3500", "device_add", "widget_register")).toBe("device_add");
  });
  test("lockdep: who locked the socket", () => {
    expect(warning("kernel/locking/lockdep.c:940", "look_up_lock_class", "register_lock_class", "lock_sock_nested", "widget_sendmsg")).toBe(
      "widget_sendmsg",
    );
    expect(warning("net/core/sock.c:3450", "lock_sock_nested", "widget_sendmsg")).toBe("lock_sock_nested");
  });
});

test("who leaks is the caller of the maker, not of the one that counts or names it", () => {
  const leak = (...frames: string[]): string | undefined =>
    explained(
      "BUG: memory leak",
      "unreferenced object 0xffff88811a0d75c0 (size 32):",
      '  comm "feeder", pid 6444, jiffies 4294941412 (age 12.730s)',
      "  backtrace:",
      ...frames.map((frame) => `    [<00000000f89b0bef>] ${frame}+0x36/0x70`),
    ).verdict.function;
  expect(leak("kmem_cache_alloc_node", "__alloc_skb", "skb_copy", "widget_send")).toBe("skb_copy");
  expect(leak("kstrdup", "kvasprintf_const", "kobject_set_name_vargs", "kobject_init_and_add")).toBe("kobject_set_name_vargs");
});

test("a CPU that waits for others is named by the call, wherever it stands", () => {
  const { verdict } = explained(
    "watchdog: BUG: soft lockup - CPU#0 stuck for 123s! [feeder:2]",
    CPU,
    "RIP: 0010:smp_call_function_single+0x197/0x4f0",
    "Call Trace:",
    " widget_sync+0x1/0x20",
    " widget_release+0x1/0x20",
    " __fput+0x1/0x20",
    ...TAIL,
  );
  expect(verdict.function).toBe("smp_call_function_single");
});
