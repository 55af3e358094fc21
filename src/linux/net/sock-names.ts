/** Names of what a socket's numbers mean: families, types, states. */

/** AF_ of include/linux/socket.h, without the prefix; unchanged but for growth since 2.6. AF_ROUTE is AF_NETLINK: crash names both. */
const FAMILIES: readonly string[] = (
  "UNSPEC UNIX INET AX25 IPX APPLETALK NETROM BRIDGE ATMPVC X25 INET6 ROSE DECnet NETBEUI SECURITY KEY NETLINK/ROUTE PACKET ASH ECONET " +
  "ATMSVC RDS SNA IRDA PPPOX WANPIPE LLC IB MPLS CAN TIPC BLUETOOTH IUCV RXRPC ISDN PHONET IEEE802154 CAIF ALG NFC VSOCK KCM QIPCRTR SMC " +
  "XDP MCTP"
).split(" ");

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const AF_VSOCK = 40;

/** "INET6"; the number for a family without a name. */
export function familyName(family: number): string {
  return FAMILIES[family] ?? String(family);
}

/** enum sock_type (include/linux/net.h). */
const TYPES: Readonly<Record<number, string>> = { 1: "STREAM", 2: "DGRAM", 3: "RAW", 4: "RDM", 5: "SEQPACKET", 6: "DCCP", 10: "PACKET" };

/** "STREAM"; the number for a type without a name. */
export function typeName(type: number): string {
  return TYPES[type] ?? String(type);
}

/** include/net/tcp_states.h; other protocols use the first, CLOSE and LISTEN in the same sense. */
const STATES: readonly string[] =
  "- ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING NEW_SYN_RECV BOUND_INACTIVE".split(
    " ",
  );

export const TCP_TIME_WAIT = 6;
export const TCP_LISTEN = 10;
/** A struct request_sock in the table of connections (4.1+). */
export const TCP_NEW_SYN_RECV = 12;

/** "ESTABLISHED" */
export function stateName(state: number): string {
  return STATES[state] ?? String(state);
}

/** NETLINK_ protocols (include/uapi/linux/netlink.h). */
const NETLINK: Readonly<Record<number, string>> = {
  0: "ROUTE",
  2: "USERSOCK",
  3: "FIREWALL",
  4: "SOCK_DIAG",
  5: "NFLOG",
  6: "XFRM",
  7: "SELINUX",
  8: "ISCSI",
  9: "AUDIT",
  10: "FIB_LOOKUP",
  11: "CONNECTOR",
  12: "NETFILTER",
  13: "IP6_FW",
  14: "DNRTMSG",
  15: "KOBJECT_UEVENT",
  16: "GENERIC",
  18: "SCSITRANSPORT",
  19: "ECRYPTFS",
  20: "RDMA",
  21: "CRYPTO",
  22: "SMC",
};

/** "KOBJECT_UEVENT"; the number for one without a name. */
export function netlinkName(protocol: number): string {
  return NETLINK[protocol] ?? String(protocol);
}
