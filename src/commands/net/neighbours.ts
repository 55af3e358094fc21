/** `net -a`: which hardware address an IP address has: the tables of ARP and NDP. */
import { hex16 } from "../../bytes/address.ts";
import { type Neighbour, neighbours } from "../../linux/net/neighbour.ts";
import { defineNetView } from "./view.ts";

export interface NeighboursResult {
  readonly neighbours: readonly Neighbour[];
  readonly neighbourNotes: readonly string[];
}

/** ARPHRD_ETHER. */
const ETHERNET = 1;

export const neighbourTables = defineNetView<NeighboursResult>({
  options: [{ flag: "-a", help: "the neighbours: ARP's table (IPv4) and NDP's (IPv6)" }],
  synopsis: ["-a"],
  examples: [["net -a", "who was looked for, and who answered"]],
  differences: [
    "-a shows the neighbours of IPv6 behind those of IPv4, and behind the state how many packets wait for the address to be found.",
  ],
  run({ kernel }) {
    const neighbourNotes: string[] = [];
    if (kernel.types.lack !== undefined) throw kernel.types.lack;
    return { neighbours: [...neighbours(kernel, neighbourNotes)], neighbourNotes };
  },
  *text({ neighbours: rows, neighbourNotes }) {
    if (rows.length > 0) yield "NEIGHBOUR        IP ADDRESS      HW TYPE    HW ADDRESS         DEVICE  STATE";
    for (const { address, ip, hardwareType, hardwareAddress, device, state, queued } of rows) {
      const ethernet = hardwareType === ETHERNET;
      const hardware = ethernet ? hardwareAddress : hardwareAddress.replaceAll(":", " ");
      const waiting = queued === 0 ? "" : `  (${queued} ${queued === 1 ? "packet waits" : "packets wait"})`;
      yield `${hex16(address)} ${ip.padEnd(15)} ${(ethernet ? "ETHER" : "UNKNOWN").padEnd(10)} ${hardware.padEnd(17)}  ${device.padEnd(6)}  ${state}${waiting}`;
    }
    for (const note of neighbourNotes) yield `net: ${note}`;
  },
});
