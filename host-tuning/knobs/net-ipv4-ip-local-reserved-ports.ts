import * as z from "zod";
import { TuningError } from "../errors.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { sysctlPath } from "./sysctl-knob.ts";

const ID = "net.ipv4.ip_local_reserved_ports";
const PATH = sysctlPath(ID);

/** Ports below it are never taken by connect() on its own. */
const FIRST_UNPRIVILEGED_PORT = 1024;

const portList = z
  .string()
  .refine(
    (text) => parseKernelList(text)?.every((port) => port >= 1) === true,
    'ports as in "8080,9000-9002"',
  )
  .overwrite((text) => formatKernelList(parseKernelList(text) ?? []));

/**
 * net.ipv4.ip_local_reserved_ports: ports that connect() never takes on its own.
 *
 * Holds the ports that the service listens on, so that an outbound connection cannot sit on one while the service
 * restarts. Ports that somebody else reserved stay reserved.
 *
 * @unit ports
 * @example listenPorts 8080 and 40000 on a host that reserves 9000-9002: "8080,9000-9002,40000"
 */
export const netIpv4IpLocalReservedPorts = defineKnob<string>({
  id: ID,
  title: "Ports that outbound connections never take",
  family: "net",
  unit: "ports",
  scope: "netns",
  phase: "early",
  takesEffect: "new-sockets",
  survivesReboot: false,
  isReversible: true,
  risk: { level: "low", what: "as many ports less for outbound connections" },
  kernelDefault: "empty",
  anchors: { "EKS AMI": "ports of the node's own services" },
  sources: [
    "https://docs.kernel.org/networking/ip-sysctl.html#ip-variables",
    "https://github.com/awslabs/amazon-eks-ami/issues/2631",
  ],
  value: portList,
  async read(host) {
    const text = await host.readText(PATH);
    if (text === undefined) return undefined;
    const ports = parseKernelList(text);
    if (ports === undefined)
      throw new TuningError(
        "HOST_PARSE",
        PATH,
        `Cannot read ${PATH}: expected ports, found ${JSON.stringify(text)}`,
      );
    return formatKernelList(ports);
  },
  desired({ profile, current }) {
    const ports = profile.service.listenPorts.filter((port) => port >= FIRST_UNPRIVILEGED_PORT);
    if (ports.length === 0)
      return leave("the profile names no port of the service that an outbound connection could take");
    return setTo(
      formatKernelList([...(parseKernelList(current) ?? []), ...ports]),
      `the service listens on ${formatKernelList(ports)}`,
    );
  },
  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
