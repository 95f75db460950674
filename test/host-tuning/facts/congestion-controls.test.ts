import { expect, it } from "vitest";
import { readCongestionControls } from "../../../host-tuning/facts/congestion-controls.ts";
import { FactReader } from "../../../host-tuning/facts/fact-reader.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";

const MODULES = "/lib/modules/6.1.0-40-amd64/kernel/net/ipv4";
const LOADED = { "/proc/sys/net/ipv4/tcp_available_congestion_control": "reno cubic\n" };

async function controlsOf(tree: HostTree, release: string | null): Promise<string[]> {
  await using host = await createHostRoot(tree);
  return await readCongestionControls(new FactReader(openHost(host.root)), release);
}

it("readCongestionControls() adds modules that are not loaded, however they are packed", async () => {
  const tree = {
    ...LOADED,
    [`${MODULES}/tcp_bbr.ko.xz`]: "",
    [`${MODULES}/tcp_vegas.ko`]: "",
    [`${MODULES}/tcp_diag.ko`]: "",
    [`${MODULES}/ip_gre.ko`]: "",
  };
  expect(await controlsOf(tree, "6.1.0-40-amd64")).toEqual(["bbr", "cubic", "reno", "vegas"]);
});

it("readCongestionControls() knows only what is loaded where the release is not known or leads elsewhere", async () => {
  const tree = { ...LOADED, "/lib/modules/../x/kernel/net/ipv4/tcp_bbr.ko": "" };
  expect(await controlsOf(tree, null)).toEqual(["cubic", "reno"]);
  expect(await controlsOf(tree, "../x")).toEqual(["cubic", "reno"]);
  expect(await controlsOf({}, "6.1.0-40-amd64")).toEqual([]);
});
