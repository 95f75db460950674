import type { InstanceType } from "../../../cost/catalogue/catalogue.ts";

/** One network interface of a launch template. */
export interface InterfacePlace {
  readonly networkCardIndex: number;
  readonly deviceIndex: number;
  readonly interfaceType: "interface" | "efa-only";
}

/** Families whose first network card carries no EFA. */
const FAMILIES_WITHOUT_EFA_ON_CARD_0: ReadonlySet<string> = new Set(["p6-b300"]);

/**
 * Where the interfaces of an EFA host go: IP traffic on card 0 device 0, EFA beside it on device 1 of card 0 and on
 * device 0 of every further card, one per card. AWS documents this layout under "maximize network bandwidth on instances
 * with multiple network cards"; the older one, an `efa` interface on every card, fails to launch where card 0 has no EFA.
 *
 * @throws {RangeError} when the type has fewer cards than EFA interfaces asked for
 */
export function placeInterfaces(spec: InstanceType, efaInterfaces: number): readonly InterfacePlace[] {
  const primary: InterfacePlace = { networkCardIndex: 0, deviceIndex: 0, interfaceType: "interface" };
  // A card carries one EFA interface, so a type whose cards the catalogue does not count has at least as many.
  const cardCount = spec.networkCards ?? Math.max(1, spec.efaInterfaces);
  const cards = Array.from({ length: cardCount }, (_, card) => card).filter(
    (card) => card > 0 || !FAMILIES_WITHOUT_EFA_ON_CARD_0.has(spec.family),
  );
  if (efaInterfaces > cards.length) {
    throw new RangeError(
      `Cannot place ${efaInterfaces} EFA interfaces on ${spec.type}: ${cards.length} of its cards carry EFA`,
    );
  }
  return [
    primary,
    ...cards.slice(0, efaInterfaces).map((card): InterfacePlace => ({
      networkCardIndex: card,
      deviceIndex: card === 0 ? 1 : 0,
      interfaceType: "efa-only",
    })),
  ];
}
