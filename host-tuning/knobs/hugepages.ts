import { defineBootArgument } from "./boot-argument.ts";
import { hugepagesArgument, hugepagesName } from "./boot-argument-syntax.ts";
import { leave, setTo } from "./desired.ts";

/** Share of a node's memory that boot may take away; the kernel, and the agent that takes it back, need the rest. Our choice. */
const MAX_NODE_SHARE = 0.8;

const KIB_PER_PAGE = 1_048_576;

/**
 * hugepages: pages of 1 GiB that the kernel takes while it starts, by node. A run-time allocation of them needs a free
 * gigabyte in one piece and fails on a host that has run for a while, so they are asked for here as well. Pages of 2 MiB
 * are found at run time and never cost a reboot.
 *
 * The default size stays: with default_hugepagesz a bare `hugepages=` of somebody else would count other pages.
 *
 * @unit pages
 * @example 2 nodes, 8 pages of 1 GiB each: "0:8,1:8", on the command line "hugepagesz=1G hugepages=0:8,1:8"
 */
export const hugepages = defineBootArgument({
  id: "hugepages",
  argument: hugepagesName("1G"),
  syntax: hugepagesArgument("1G"),
  title: "Huge pages of 1 GiB taken at boot",
  unit: "pages",
  scope: "node",
  risk: {
    level: "high",
    what: "the memory is gone for everything else; too many and the host does not start",
  },
  kernelDefault: "0",
  kernelRange: "by node since Linux 5.16",
  sources: [
    "https://docs.kernel.org/admin-guide/mm/hugetlbpage.html",
    "https://docs.kernel.org/admin-guide/kernel-parameters.html",
  ],
  anchors: { NTO: "hugepages.pages of the profile when they name no node" },
  desired({ facts, profile }) {
    const { perNode, sizeKiB } = profile.hugepages;
    if (perNode === 0) return leave("the profile asks for none (hugepages.perNode is 0)");
    if (sizeKiB !== KIB_PER_PAGE)
      return leave(`pages of ${sizeKiB} KiB are found at run time, without a reboot`);
    if (!facts.memory.hugepageSizesKiB.includes(KIB_PER_PAGE))
      return leave("refused: this CPU has no pages of 1 GiB");
    const nodes = facts.numa.nodes.filter((node) => node.memoryBytes > 0);
    const short = nodes.find((node) => perNode * KIB_PER_PAGE * 1024 > node.memoryBytes * MAX_NODE_SHARE);
    if (short !== undefined) {
      const GiB = Math.floor(short.memoryBytes / 1024 ** 3);
      return leave(`refused: ${perNode} GiB are more than 80 % of the ${GiB} GiB of node ${short.id}`);
    }
    const because = `the profile asks for ${perNode} pages of 1 GiB on each of ${nodes.length} nodes; they are certain only at boot`;
    return isSinceLinux516(facts.kernel.release)
      ? setTo(nodes.map(({ id }) => `${id}:${perNode}`).join(","), because)
      : setTo(String(perNode * nodes.length), `${because}; this kernel spreads a total over the nodes`);
  },
  async readIgnored(host, value) {
    const path = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages";
    const total = Number((await host.readText(path)) ?? "0");
    const wanted = value.split(",").reduce((sum, part) => sum + Number(part.slice(part.indexOf(":") + 1)), 0);
    return total < wanted ? `the kernel found ${total} of ${wanted} pages` : undefined;
  },
});

function isSinceLinux516(release: string | null): boolean {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(release ?? "") ?? [];
  return Number(major) > 5 || (Number(major) === 5 && Number(minor) >= 16);
}
