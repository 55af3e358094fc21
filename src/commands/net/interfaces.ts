/** `net`, `net -n`: the network devices of a namespace with their addresses. */
import { hex16 } from "../../bytes/address.ts";
import { UnsupportedError } from "../../bytes/errors.ts";
import { type NetDevice, netDevices } from "../../linux/net/device.ts";
import { initialNamespace, taskNamespace } from "../../linux/net/namespace.ts";
import { taskAt } from "../../linux/task.ts";
import { taskOperand } from "../support/task-operand.ts";
import { defineNetView } from "./view.ts";

export interface InterfacesResult {
  /** struct net. */
  readonly namespace: bigint;
  readonly devices: readonly NetDevice[];
  readonly notes: readonly string[];
}

export const interfaces = defineNetView<InterfacesResult>({
  options: [{ flag: "-n", help: "network devices of the namespace that the context task, or the task named, lives in" }],
  synopsis: ["[-n [pid | task]]"],
  examples: [
    ["net", "network devices and their addresses"],
    ["net -n 1234", "those that a container sees"],
  ],
  run(session, args) {
    const { kernel } = session;
    const notes: string[] = [];
    const [operand] = args.operands;
    const task = operand === undefined ? undefined : taskOperand(kernel, operand);
    let namespace = initialNamespace(kernel);
    if (args.has("-n")) {
      const chosen = task ?? taskAt(kernel, session.context);
      const own = taskNamespace(kernel, chosen.address);
      if (own === undefined) throw new UnsupportedError(`task ${chosen.pid} (${chosen.comm}) has exited: it has no network namespace`);
      namespace = own;
    }
    return { namespace, devices: netDevices(kernel, namespace, notes), notes };
  },
  *text({ devices, notes }) {
    yield "   NET_DEVICE     NAME       IP ADDRESS(ES)";
    for (const { address, name, addresses } of devices)
      yield `${hex16(address)}  ${name.padEnd(10)} ${addresses.map((each) => each.address).join(", ")}`.trimEnd();
    for (const note of notes) yield `net: ${note}`;
  },
});
