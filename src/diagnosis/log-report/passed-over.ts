/**
 * Functions that stand in a trace and are not where the fault is to be looked for: they print the report, raise the exception, or do for
 * any caller what the caller asked (allocate, lock, copy, link into a list, drop a reference). The place is the first frame that is none.
 *
 * The groups are ours, made from what the functions do in the kernel; a name is passed over only in reports where its group is a tool.
 */

/** Anchored and joined: `words("a", "b\\w*")` is /^(?:a|b\w*)$/. */
function words(...patterns: string[]): RegExp {
  return new RegExp(`^(?:${patterns.join("|")})$`);
}

/** Prints, checks, instruments: in every kind of report. */
// biome-ignore format: a table
const REPORTING = words(
  "poison_slab_object", "spin_dump", "spin_bug", "rwlock_bug", "_*netdev_printk\\w*", "check_panic_on_warn", "__stack_chk_fail", "__schedule_bug", "check_slab", "on_freelist", "check_poison_obj", "check_irq_off", "dump_page\\w*", "__dump_page\\w*",
  "__rustc::rust_begin_unwind", ".*rust_begin_unwind", "dev_vprintk_\\w+", "\\w*vprintk\\w*", "va_format", "\\w+_printk_\\w+",
  "__this_cpu_preempt_check", "check_preemption_disabled", "debug_smp_processor_id", "kmemleak_\\w+", "_*create_object", "\\w*_panic",
  "create_object", "__create_object", "_?_?dump_stack\\w*", "show_stack\\w*", "show_regs\\w*", "dump_backtrace\\w*", "unwind_backtrace",
  "show_trace\\w*", "walk_stackframe", "arch_stack_walk\\w*", "unwind_\\w*stack\\w*", "prepare_frametrace", "_*print_(?:address|report|\\w*bug|bad_irq|bad_pte|kernel_ident|trailer|track|page_info|tags|object|hex|memory_metadata|lock|held|error_desc|other_cpu|cpu_stall|worker_info|modules|irqtrace|stop_info|oops_end|taint|section|slab_info|depot|stack_trace|ip_sym|collision|chain|symbol|shadow|decoded|context_stack|fatal|invalid|vma|circular|usage)\\w*", "_+dump_page", "_*k[am]san_\\w+", "__asan_\\w+", "__hwasan_\\w+",
  "__msan_\\w+", "__tsan_\\w+", "kcsan_\\w+", "__kcsan\\w*", "kfence_\\w+", "__kfence\\w*", "check_memory_region\\w*", "__ubsan\\w*",
  "ubsan_\\w+", "val_to_string", "object_err", "slab_err", "slab_bug", "check_(?:heap_|stack_|bogus_|poison_|slab_)?object", "check_bytes_and_report", "end_report",
  "start_report", "save_stack\\w*", "set_track\\w*", "stack_trace_\\w+", "__sanitizer_\\w+", "handle_overflow", "object_err\\w*",
  "describe_(?:object|heap|addr|stack)\\w*", "instrument_\\w+", "_*stack_depot_\\w+", "depot_\\w+", "__dynamic_\\w+", "_dev_(?:emerg|alert|crit)", "__?drm_(?:err|printk|dev_printk|dev_dbg|dbg)", "drm_printf", "panic", "nmi_panic", "vpanic", "__warn\\w*", "warn_(?:alloc|slowpath)\\w*", "report_bug\\w*", "__report_bug",
  "handle_bug", "fixup_bug", "bug_handler", "brk_handler", "call_break_hook", "call_el1_break_hook", "v?printk\\w*", "_printk",
  "vprintk_\\w+", "console_unlock", "__dev_\\w*printk\\w*", "_?dev_(?:err|warn|info|notice|printk)\\w*",
  "_?netdev_(?:err|warn|info|printk)", "rust_helper_\\w+", "_R\\w*(?:rust_begin_unwind|panicking)\\w*", "core::panicking::.*",
  "should_fail\\w*", "__should_fail\\w*", "fail_dump",
);
/** Raises or delivers an exception. */
// biome-ignore format: a table
const EXCEPTION = words(
  "__x86_\\w*thunk\\w*", "__x86_return_\\w+", "die(?:_\\w+)?", "__die\\w*", "oops_\\w+", "do_error_trap", "do_invalid_op", "do_trap\\w*",
  "do_general_protection", "do_divide_error", "do_int3", "invalid_op", "general_protection", "divide_error", "page_fault\\w*",
  "a?sync_page_fault", "do_page_fault", "__do_page_fault", "do_async_page_fault", "exc_\\w+", "asm_exc_\\w+", "asm_sysvec_\\w+",
  "sysvec_\\w+", "error_entry", "no_context", "__bad_area\\w*", "bad_area\\w*", "mm_fault_error", "page_fault_oops",
  "do_(?:kern|user)_addr_fault", "handle_page_fault", "kernelmode_fixup_or_oops", "fixup_exception", "do_mem_abort",
  "do_translation_fault", "do_bad_area", "__do_kernel_fault", "die_kernel_fault", "do_sea", "do_alignment_fault", "do_debug_exception",
  "do_undefinstr", "el1\\w*", "el0_(?:da|ia|sync|dbg|undef)", "do_DataAbort", "do_PrefetchAbort", "__dabt_svc", "__pabt_svc",
  "__und_svc", "do_trap_break", "do_trap_\\w+", "ret_from_exception", "handle_exception", "program_check_\\w+", "data_access_\\w+",
  "do_program_check", "__do_pgm_check", "pgm_check_handler", "do_slb_fault",
  // arch/arm64/mm/fault.c fault_info[], kernel/traps.c, debug-monitors.c
  "do_tag_check_fault", "do_tag_recovery", "do_bad", "do_sp_pc_abort", "do_el[01]_(?!svc)\\w+", "do_serror", "do_sysinstr", "bad_mode", "panic_bad_stack",
  "handle_bad_stack", "arm64_(?:serror_panic|notify_\\w+|is_fatal_\\w+)", "(?:bug|cfi|ubsan|kasan|reserved_fault)_(?:brk_)?handler", "force_signal_inject",
  // arch/arm/mm/fault.c, kernel/traps.c; arch/{mips,loongarch}/mm/tlbex, kernel/traps.c; arch/s390/mm/fault.c; arch/powerpc
  "do_sect_fault", "__und_fault", "__bug", "tlb_do_page_fault_\\d", "do_(?:ade|ale|be|bp|bce|ri|tr|watch|cpu)", "handle_(?:ade|ale|bp|bce|ri|tlb_\\w+|break)",
  "do_no_context", "handle_fault_error\\w*", "monitor_event_exception", "illegal_op", "___do_page_fault", "hash__do_page_fault", "_exception\\w*", "exception_common\\w*",
  "instruction_access_\\w+", "spurious_kernel_fault", "xen_(?:general_protection|page_fault|divide_error)", "ex_handler_\\w+", "handle_stack_overflow", "bad_page_fault", "__bad_page_fault", "do_dat_exception",
  "do_protection_exception", "stack_segment", "double_fault", "do_double_fault", "asm_common_interrupt", "nmi\\w*", "asm_nmi",
  "mce_panic", "\\w*do_machine_check", "\\w*machine_check_poll", "default_do_nmi", "do_nmi", "unknown_nmi_error", "pci_serr_error", "io_check_error",
);
/** Memory for anyone. */
// biome-ignore format: a table
const MEMORY = words(
  "free_compound_page", "_*put_compound_page", "destroy_(?:compound_page|large_folio)", "\\w+_kmem_(?:cache_)?(?:z?alloc|free)", "kzfree", "kfree_sensitive", "kstrndup", "v[zc]alloc\\w*", "_*alloc_frozen_pages\\w*", "free_frozen_pages\\w*", "_*ksize", "page_frag_\\w+", "kmem_\\w+_noprof", "slab_destroy\\w*",
  "free_to_partial_list", "free_large_kmalloc", "free_nonslab_page", "cache_from_obj", "warn_free_bad_obj", "set_freepointer", "bad_page\\w*", "free_page_is_bad\\w*", "check_(?:new|free)_pages?\\w*",  "__alloc_percpu\\w*", 
  "k[mzc]alloc\\w*",
  "_*kmalloc\\w*", "__do_kmalloc\\w*", "kv(?:m|z|c)alloc\\w*", "v?kv?realloc\\w*", "vrealloc\\w*", "kvmalloc\\w*", "kmemleak_alloc\\w*", "memcg_alloc_\\w+", "__kvmalloc\\w*", "kvzalloc\\w*", "krealloc\\w*", "__do_krealloc", "k?free",
  "kfree\\w*", "__kfree", "kvfree\\w*", "vfree\\w*", "__vfree", "vm?alloc\\w*", "__vmalloc\\w*", "__get_vm_area\\w*", "kmem_cache_\\w+",
  "__kmem_cache_\\w+", "_?_?_?slab_\\w+", "___slab_\\w+", "cache_(?:alloc|free|grow|flusharray)\\w*", "___cache_free", "__cache_\\w+",
  "do_slab_free", "alloc_slab_page", "allocate_slab", "new_slab\\w*", "fallback_alloc", "deactivate_slab", "unfreeze_partials",
  "__unfreeze_partials", "put_cpu_partial", "discard_slab", "__free_slab", "quarantine_\\w+", "qlink_\\w+", "qlist_\\w+",
  "get_freepointer\\w*", "free_debug_processing", "alloc_debug_processing", "alloc_consistency_checks", "free_consistency_checks",
  "alloc_pages\\w*", "__alloc_pages\\w*", "__get_free_pages", "get_zeroed_page", "get_page_from_freelist", "free_pages\\w*",
  "__free_pages\\w*", "free_page\\w*", "prep_new_page", "post_alloc_hook", "prepare_alloc_pages", "slab_pre_alloc_hook", "slab_post_alloc_hook", "alloc_debug_processing", "rmqueue\\w*", "free_pcp\\w*", "free_unref_\\w+",
  "_*folio_alloc\\w*", "alloc_percpu\\w*", "pcpu_\\w+", "free_percpu", "mempool_\\w+", "dma_alloc_\\w+", "devm_k\\w+",
  "kmemdup\\w*", "_*memdup_user\\w*", "vmemdup_user", "strndup_user", "kstrdup\\w*", "kasprintf", "kvasprintf\\w*", "__krealloc",
);
/** Locks, atomics, references, wait queues. */
// biome-ignore format: a table
const LOCKING = words(
  "_*pv_queued\\w*", "rtmutex_\\w+", "rcu_lock_(?:acquire|release)",
  "bit_spin_\\w+", "_*(?:raw_|arch_)*atomic(?!_open|_remove|_notifier)\\w*", "_?_?lock_(?:acquire|release|acquired|contended|is_held\\w*|downgrade|set_class)\\w*",
  "lockdep_\\w+", "check_(?:noncircular|prev_add|prevs_add|wait_context|unmap|irq_usage|usage\\w*|flags)\\w*",
  "validate_chain\\w*", "mark_(?:lock|usage|held_lock|irqflags)\\w*", "valid_state", "register_lock_class", "assign_lock_key",
  "debug_check_no_locks_\\w+", "look_up_lock_class", "reacquire_held_locks", "owner_on_cpu", "_raw_\\w+", "__raw_\\w+", "do_raw_\\w+", "spin_(?:un)?lock\\w*", "__spin_\\w+",
  "read_lock\\w*", "write_lock\\w*", "queued_(?:spin|read|write)\\w*", "native_queued_\\w+", "pv_(?:wait|kick|queued|hash|unhash|native)\\w*", "kvm_wait", "mutex_\\w+", "__mutex_\\w+",
  "ww_mutex_\\w+", "rt_mutex_\\w+", "__rt_mutex_\\w+", "rt_spin_\\w+", "rtlock_\\w+",
  "_*down(?:_(?:read|write|interruptible|killable|timeout|trylock|common)\\w*)?", "_*up(?:_(?:read|write)\\w*)?", "__down_\\w+", "rwsem_\\w+",
  "__rwsem_\\w+", "call_rwsem_\\w+", "percpu_(?:down|up|rwsem)\\w*", "__percpu_(?:down|up|rwsem)\\w*", "osq_(?:un)?lock\\w*", "seqcount\\w*",
  "__might_(?:sleep|fault|resched)\\w*", "___might_sleep\\w*", "might_\\w+", "arch_local_\\w+", "trace_hardirqs_\\w+", "_*local_(?:bh|irq|lock|unlock|trylock|daif|softirq|inc|dec|add|sub|read|set)\\w*",
  "preempt_(?:count|schedule|enable|disable|latency)\\w*", "_*srcu_read_\\w+", "_*(?:dynamic_)?(?:cond|might)_resched\\w*", "rcu_read_\\w+", "__rcu_read_\\w+", "rcu_lockdep_\\w+",
  "refcount_\\w+", "__refcount_\\w+", "kref_\\w+",
  "kobject_(?:get|put|del|add\\w*|init\\w*|cleanup|release|uevent\\w*|namespace|get_path|set_name\\w*)", "__kobject_del", 
  "__fetch_\\w+", "cmpxchg\\w*",
  "__init_waitqueue_head", "init_wait_\\w+",
);
/** Copies, strings, containers, bits: they do to their arguments what the caller said. */
// biome-ignore format: a table
const HELPERS = words(
  "_*copyout\\w*", "_*copyin\\w*", "copy_folio_\\w+", "csum_and_copy_\\w+", "__kthread_create\\w*", "crc_(?:ccitt|itu_t|t10dif)\\w*", "memcpy_\\w+", "simple_copy_\\w+",
  "cpumask_\\w+", "memory_is_\\w+", "check_region_inline", "_*strn?str", "crc\\d+\\w*", "\\w*copy_(?:to|from)_user\\w*",
  "unregister_netdev(?:ice(?:_many\\w*|_queue)?)?", "rollback_registered\\w*", "tty_unregister_device", "hwrng_unregister", "(?:hex|widen|symbol|resource|mac_address|ip[46]?_?(?:compressed|addr|sockaddr)|uuid|escaped|bitmap_list|bitmap|fwnode(?:_full_name)?|device_node|flags|fourcc|error|kobject|pointer)_string\\w*", "string_nocheck", "address_val", "(?:file_)?dentry_name", "bdev_name", "format_(?:page_)?flags", "netdev_bits", "(?:time|date|rtc|time64)_str", "time_and_date", "clock", "(?:default|restricted)_pointer", "check_pointer\\w*", "special_hex_number", "ptr_to_id", "simple_strto\\w+", "_?kstrto\\w+", "iput", "dput",
  "fput", "_?_?mem(?:cpy|set|move|cmp|chr|scan|zero)\\w*", "_*p?i?_?mem(?:cpy|set|move)\\w*",
  "_*str(?:n?len|n?cpy|lcpy|scpy|n?cmp|n?casecmp|n?cat|r?chr|chrnul|str|sep|spn|pbrk|dup|im)\\w*", "sized_str\\w+", "fortify_\\w+",
  "__fortify_\\w+", "v?s?c?n?printf", "vsnprintf", "string(?:_nocheck)?", "number", "pointer", "format_decode", "bin2hex",
  "hex_dump_to_buffer", "crc32\\w*", "__crc32\\w*", "crc_ccitt\\w*", "csum_partial\\w*", "do_csum",
  "_?_?_?(?:raw_)?copy_(?:to|from|in)_?(?:user|kernel)?\\w*", "copy_user_\\w+", "__arch_copy_\\w+", "__copy_\\w+",
  "_copy_(?:to|from)_\\w+", "copy_page(?:_(?:rep|regs|mc|unrolled)\\w*)?", "copy_(?:user_)?highpage\\w*", "_?copyout", "_?copyin", "_*(?:get|put)_user\\w*", "rep_\\w+", "clear_user\\w*",
  "__clear_user", "copy_iovec\\w*", "check_heap_object", "__check_(?:heap_)?object\\w*", "check_(?:stack_object|copy_size)",
  "usercopy_\\w+", "seq_(?:v?printf|puts|putc|write|put_\\w+|escape\\w*)", "v?sscanf", "simple_(?:read_from|write_to)_buffer", "__kfifo_\\w+",
  "io(?:read|write)(?:8|16|32|64)\\w*", "iov_iter_\\w+", "copy_(?:page_)?(?:to|from)_iter\\w*", "copy_to_user_\\w+", "strncpy_from_user", "strnlen_user",
  "probe_kernel_\\w+", "_*list_(?:add|del|move|splice|replace|swap|cut|rotate|bulk)\\w*", "__hlist_\\w+", "hlist_\\w+", "llist_\\w+", "plist_\\w+", "rb_(?:erase|insert|first|last|next|prev|replace|link)\\w*",
  "__rb_\\w+", "____rb_\\w+", "timerqueue_\\w+", "xas?_(?!create)\\w+", "__xas?_\\w+", "__bitmap_\\w+", "_?find_(?:first|next|last)_\\w*bit\\w*", "_?test_and_\\w+", "(?:set|clear|test|change)_bits?(?:_\\w+)?",
  "bitmap_(?:set|clear|zero|fill|copy|and|or|xor|equal|empty|full|weight|intersects|subset|find|parse|print|shift|cut|replace|from|to|release|alloc|free|gather|scatter|read|write|zalloc)\\w*", "generic_test_\\w+", "jhash\\w*", "full_name_hash", "sort(?:_r)?", "read_(?:word|once)\\w*", "__read_once_\\w+",
  "__write_once_\\w+", "READ_ONCE\\w*", "debug_(?!check_no_obj)\\w+", "__debug_\\w+", "timer_(?:debug|fixup|is_static)\\w*",
  "work_(?:fixup|is_static)\\w*", "lookup_object\\w*", "get_unaligned\\w*", "put_unaligned\\w*", "arch_static_\\w+", 
  
  "init_timer_key", "timer_init_key", "__queue_work", "queue_(?:delayed_|rcu_)?work\\w*", "insert_work", "mod_delayed_work\\w*", "__init_work", 
  
  "call_rcu\\w*", "__call_rcu\\w*", "kfree_call_rcu", "kvfree_call_rcu", "device_(?:del|unregister|destroy)",
  "usb_(?:submit_urb|control_msg\\w*|bulk_msg|interrupt_msg|start_wait_urb|internal_control_msg|kill_urb|hcd_submit_urb)",
);
/** Waits for or calls off what was put off: the caller owns it. */
// biome-ignore format: a table
const FLUSHING = words(
  "del_timer\\w*", "try_to_del_timer_sync", "try_to_grab_pending", "work_grab_pending", "flush_workqueue\\w*", "drain_workqueue", "destroy_workqueue",
  "__?flush_work", "flush_(?:delayed_|rcu_)?work\\w*", "start_flush_work", "(?:__)?cancel_(?:delayed_)?work\\w*", "kthread_(?:stop|insert_\\w+|create\\w*)",
);
/**
 * Parts of the kernel with state of their own that do what any caller asks: timers, iterators, references per CPU, makers of buffers and of
 * cached pages. A fault in one, or its own warning, is named by it; who leaks or holds what it made is the caller.
 */
// biome-ignore format: a table
const SERVICES = words(
  "_*timer_(?:delete|shutdown)\\w*", "mod_timer\\w*", "__mod_timer", "add_timer\\w*", "hrtimer_(?:cancel|try_to_cancel|start\\w*|setup)", "__hrtimer_\\w+",
  "klist_\\w+", "xas_create\\w*", "lockref_\\w+", "__lock_\\w+", "percpu_ref_(?:get|put|tryget)\\w*", "get_device", "put_device", "__phys_addr\\w*",
  "kthread_(?:queue_\\w+|park)", "__queue_delayed_work", "__flush_workqueue", "debug_check_no_obj\\w*",
  "_*put_page", "_*folio_put\\w*", "release_pages", "alloc_inode(?:_sb)?", "\\w+_alloc_inode", "filemap_alloc_folio\\w*", "__filemap_get_folio\\w*", "pagecache_get_page", "find_or_create_page",
  "grab_cache_page\\w*", "do_read_cache_\\w+", "__page_cache_alloc",
  "__alloc_skb", "_*build_skb\\w*", "__netdev_alloc_frag\\w*", "__alloc_page_frag\\w*", "alloc_skb\\w*", "__napi_alloc_skb", "__netdev_alloc_skb", "napi_\\w*alloc\\w*",
);
/** Entry code that only frames a call from user space or an interrupt. */
// biome-ignore format: a table
const ENTRY = words(
  "perf_trace_\\w+", "perf_syscall_\\w+", "entry_\\w+", "do_syscall_\\w+", "do_(?:fast_|int80_)?syscall\\w*", "__do_fast_syscall_32",
  "do_SYSENTER_32", "syscall_\\w+", "arch_exit_to_user_mode\\w*", "do_notify_resume\\w*", "do_work_pending", "work_pending\\w*", "work_(?:notifysig|resched)", "prepare_exit_to_usermode",
  "do_int80_\\w+", "do_el0_svc\\w*", "handle_sys(?:call)?", "__do_syscall", "ret_from_\\w+", "ret_to_user", "ret_fast_syscall", "el0_svc\\w*", "el0t?_64_\\w+", "invoke_syscall",
  "x64_sys_call", "ia32_sys_call", "kernel_thread_helper", "kernel_thread_starter", "child_rip", "asm_\\w+", "apic_timer_interrupt", "smp_apic_timer_interrupt", "system_call\\w*", "sysenter_\\w+",
  "tracesys\\w*", "kthread", "return_to_handler", "ftrace_(?:\\w*call\\w*|stub\\w*|ops_\\w+|trace_function\\w*|return\\w*)", "trace_event_(?:raw|buffer|get_offsets|ignore)\\w*", "__traceiter_\\w+", "0x0",
);
/** The memory of an object on the network is dropped here for anyone. */
// biome-ignore format: a table
const BUFFERS = words(
  "kfree_skb\\w*", "__kfree_skb", "consume_skb", "sk_skb_reason_drop",
  "skb_(?:put|push|over_panic|under_panic|panic)", 
  
);

/** Makes an object for its caller, or a node of a container: who leaks it is the caller. Drivers have allocators of their own names too. */
// biome-ignore format: a table
const CONSTRUCTORS = words(
  "\\w+_alloc", "alloc_\\w+", "\\w+_alloc_\\w+", "\\w*[kvmzc]m?[mzc]alloc(?:_\\w+)?", "\\w*(?:mem|str|mem_)dup",
  "(?:idr|ida|radix_tree|mas|mtree|xa|sg|sbitmap|rhashtable|percpu_ref)_(?:pre\\w*|get_\\w+|insert\\w*|store\\w*|init\\w*|node_\\w+|extend\\w*|expand\\w*|create\\w*)",
);

/** Ciphers and hashes: in uninitialised data they are where it was noticed, never where it came from. */
// biome-ignore format: a table
const CIPHERS = words(
  "crypto_\\w+", "_*aes\\w*_\\w+", "aes\\w*", "(?:aesni|drbg|rng|skcipher|cipher|shash|ahash|aead|akcipher|hmac|xts|cbc|ecb|ctr|gcm|ccm|lrw|cts|cfb|ofb)_\\w+",
  "sha\\d+_\\w+", "chacha\\w*", "poly1305_\\w+", "__?siphash_\\w+", "blake2\\w+", "(?:des3?|md[45]|rmd\\d+|sm[34]|camellia|serpent|twofish|blowfish|cast\\d)_\\w+",
);
/** Makes an entry of /proc for its caller, who gave a name that is taken. */
const REGISTRATION = words("proc_(?:register|create\\w*|mkdir\\w*|net_\\w+|symlink)", "_proc_mkdir", "__proc_create");

/** Where lib/debugobjects.c, lib/kobject.c and lockdep check what they were given by others. */
const OBJECT_DEBUGGING = words("debug_check_no_obj\\w*");
const DEVICES = words("device_(?:add|register|create\\w*|initialize)", "kobject_\\w+", "get_device_parent");
/** RCU's own checks of where it was called (RCU_LOCKDEP_WARN in kernel/rcu). */
const RCU_CHECKS = words("rcu_(?:softirq_qs\\w*|note_context_switch|sleep_check|momentary\\w*|qs|all_qs)");
const SOCKET_LOCKS = words("lock_sock\\w*", "release_sock", "__lock_sock");

/** Which tools a report passes over. */
export type PassedOver =
  | "ciphers"
  | "registration"
  | "constructors"
  | "reporting"
  | "exception"
  | "memory"
  | "locking"
  | "helpers"
  | "entry"
  | "flushing"
  | "object-debugging"
  | "devices"
  | "socket-locks"
  | "rcu-checks"
  | "services"
  | "buffers";
const GROUPS: Readonly<Record<PassedOver, RegExp>> = {
  ciphers: CIPHERS,
  registration: REGISTRATION,
  constructors: CONSTRUCTORS,
  reporting: REPORTING,
  exception: EXCEPTION,
  memory: MEMORY,
  locking: LOCKING,
  helpers: HELPERS,
  entry: ENTRY,
  flushing: FLUSHING,
  "object-debugging": OBJECT_DEBUGGING,
  devices: DEVICES,
  "socket-locks": SOCKET_LOCKS,
  "rcu-checks": RCU_CHECKS,
  services: SERVICES,
  buffers: BUFFERS,
};
/** What a report's trace passes over before it names a function. */
export const TRACE_TOOLS: readonly PassedOver[] = [
  "reporting",
  "exception",
  "memory",
  "locking",
  "helpers",
  "flushing",
  "entry",
  "buffers",
];
/** Whatever is not the code that made the mistake. */
export const ALL_TOOLS: readonly PassedOver[] = [...TRACE_TOOLS, "services"];

export function isPassedOver(name: string, groups: readonly PassedOver[] = ALL_TOOLS): boolean {
  return groups.some((group) => GROUPS[group].test(name));
}
