/** net and bpf. */
import { after, type CompatLine, differs, linesIn, oneLine, ours, same } from "../crash-compat-difference.ts";

export const NET: readonly CompatLine[] = [
  ...same("net", "net -n", "net -n 1", "net -n {cat}", "net -s", "net -s 1", "net -s {cat}", "net -S 1", "net -s 1 2"),
  ...differs(
    {
      why: "crash shows ARP's table only; ours is followed by that of IPv6 (NDP)",
      sometimes: true,
      holds: linesIn("crash"),
    },
    "net -a",
    "net -an",
  ),
  ...differs(
    {
      why: "crash sets the ends of IPv6 sockets apart by one or two blanks, and knows no name of family 40 (VSOCK)",
      sometimes: true,
      holds: after((text) => text.replace(/ 40:/g, " VSOCK:").replace(/ +/g, " ")),
    },
    "foreach net -s",
    "foreach nc net -s",
    "foreach net -s -R 3",
    "foreach net -s -R 5",
  ),
  ...differs(
    {
      why: "crash shows every socket as a struct inet_sock, whatever memory lies behind it; gdb loses characters of strings that end in half a sequence",
      sometimes: true,
      holds: (_crash, inquest) =>
        /^struct socket \{$/m.test(inquest) && /^struct (inet|unix|packet|netlink|vsock)?_?sock \{$/m.test(inquest),
    },
    "foreach nc net -S",
    "foreach nc net -S -x",
    "foreach nc net -S -d",
    "foreach workers net -S -R 5",
  ),
  ...same("net -N 0100007f", "net -N 16777343", "net -N 0x0100007f", "net -N 12", "net -N zz"),
  ...differs(
    {
      why: "crash shows how to use the command; ours says what is wrong with the line",
      holds: oneLine,
    },
    "net -R 3",
    "net -x",
    "net 1",
    "net -N",
  ),
  ...same("net -s 99999", "net -n 99999", "bpf -p 99", "bpf -m 99", "bpf -p xx", "bpf 1", "bpf -t", "bpf -j", "bpf -s", "bpf -x"),
  ...differs({ why: "crash names -t where -T was given", holds: oneLine }, "bpf -T"),
  ...same("bpf -M", "bpf -m 1 -s"),
  ...differs(
    {
      why: "crash reckons the time of loading from a wrong start, and gives no time zone; gdb loses a character of the tag",
      sometimes: true,
      holds: after((text) => text.replace(/LOAD_TIME: .*/g, "LOAD_TIME").replace(/ tag = .*/g, "")),
    },
    "bpf",
    "bpf -P",
    "bpf -PM",
    "bpf -p 1",
    "bpf -Pt",
    "bpf -PT",
    "bpf -Pj",
    "bpf -p 1 -tj",
    "bpf -Ps",
    "bpf -Psx",
  ),
  ...differs({ why: "crash prints numbers in hexadecimal for -d too", sometimes: true, holds: ours(/^ {2}pages = \d+,$/m) }, "bpf -Psd"),
  ...differs({ why: "views of our own", holds: ours(/./) }, "net --sockets", "net --packet"),
];
