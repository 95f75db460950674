import type { HostFacts } from "../facts/host-facts.ts";
import { type AnyKnob, WHOLE_HOST } from "../knobs/knob.ts";
import { sysctlText } from "../knobs/namespaced-sysctls.ts";
import { sysctlPath } from "../knobs/sysctl-knob.ts";
import { readServicePid } from "../knobs/systemd-unit.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { type FoundNamespace, findNamespaces } from "./find-namespaces.ts";
import { hostInside, readInside } from "./read-inside.ts";
import type { ServiceNamespace } from "./service-namespace.ts";

interface NamespacesInput {
  readonly host: Host;
  readonly facts: HostFacts;
  readonly profile: HostProfile;
  /** The registry; of it those with scope netns count. */
  readonly knobs: readonly AnyKnob[];
}

/**
 * Every network namespace of a service or container on this host, with the values that are in force inside. Reads, never
 * writes; where somebody may not look, the finding says so. Empty when everything shares the host's namespace.
 */
export async function readServiceNamespaces(input: NamespacesInput): Promise<ServiceNamespace[]> {
  const { unit, runtime } = input.profile.service;
  const unitPid = runtime === "systemd" ? await readServicePid(input.host, unit) : undefined;
  const { namespaces, unknown } = await findNamespaces(input.host, unitPid, unit);
  const known = await Promise.all(namespaces.map((found) => readOne(input, found)));
  const unreadable = unknown.map(({ service, because }) => ({
    namespace: null,
    services: [service],
    runtime: null,
    pid: null,
    isService: service === unit,
    because: `which network namespace ${service} runs in is not known: ${because}`,
    values: [],
  }));
  return [...known, ...unreadable];
}

async function readOne(input: NamespacesInput, found: FoundNamespace): Promise<ServiceNamespace> {
  const { namespace, services, runtime, pid } = found;
  const isService = services.includes(input.profile.service.unit);
  const knobs = input.knobs.filter((knob) => knob.scope === "netns");
  const paths = knobs.map((knob) => sysctlPath(knob.id));
  const base = { namespace, services: [...services], runtime, pid, isService };
  const inside = await readInside(input.host, pid, paths);
  if (inside.kind === "unreadable")
    return { ...base, because: `what is in force inside could not be read: ${inside.because}`, values: [] };
  const view = hostInside(input.host, inside.texts, paths);
  const values = (await Promise.all(knobs.map((knob) => judge(input, knob, view)))).flat();
  return { ...base, because: worth(found, values), values };
}

async function judge(input: NamespacesInput, knob: AnyKnob, view: Host): Promise<ServiceNamespace["values"]> {
  const current = await knob.read(view, WHOLE_HOST);
  if (current === undefined) return [];
  const inForce = sysctlText(current);
  const override = input.profile.overrides[knob.id];
  if (override !== undefined && "leave" in override)
    return [
      { knob: knob.id, inForce, wanted: null, isInForce: true, because: `profile: ${override.because}` },
    ];
  const desired =
    override === undefined
      ? knob.desired({ facts: input.facts, profile: input.profile, current, target: WHOLE_HOST })
      : ({
          kind: "set",
          value: knob.value.parse(override.value),
          because: `profile: ${override.because}`,
        } as const);
  if (desired.kind === "leave")
    return [{ knob: knob.id, inForce, wanted: null, isInForce: true, because: desired.because }];
  const wanted = sysctlText(desired.value);
  const isInForce = knob.isSatisfied?.(current, desired.value) ?? wanted === inForce;
  return [{ knob: knob.id, inForce, wanted, isInForce, because: desired.because }];
}

/** What an operator has to know at once: is the host's tuning worth anything to this service. */
function worth({ services, runtime }: FoundNamespace, values: ServiceNamespace["values"]): string {
  const who = services.join(", ");
  const missing = values.filter((value) => !value.isInForce).length;
  if (missing === 0)
    return `${who} has a network namespace of its own, and every wanted value is in force there`;
  const cure = {
    systemd: "the unit's drop-in sets them when the service starts again",
    kubernetes: "the pod has to ask for them: bedplate plan --pod-sysctls",
    docker: "docker run --sysctl sets them",
    podman: "podman run --sysctl sets them",
    containerd: "its runtime has to set them when the container is made",
    "cri-o": "its runtime has to set them when the container is made",
    other: "its runtime has to set them when the container is made",
  }[runtime];
  return `${missing} of the host's values are a placebo for ${who}, which has a network namespace of its own; ${cure}`;
}
