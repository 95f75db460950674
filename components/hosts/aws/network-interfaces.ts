import type { InstanceType } from "../../../cost/catalogue/catalogue.ts";

/** One network interface of a launch template. */
export interface InterfacePlace {
  readonly networkCardIndex: number;
  readonly deviceIndex: number;
  /** `efa` carries IP and EFA. */
  readonly interfaceType: "interface" | "efa" | "efa-only";
}

/**
 * Where the interfaces of a host go: IP traffic on card 0 device 0; EFA beside it on device 1 of card 0, where that card
 * carries EFA, and on device 0 of further cards that carry it, one per card. A card 0 with room for one interface alone, as
 * on hpc6id, has IP and EFA on that. AWS documents this layout
 * under "maximize network bandwidth on instances with multiple network cards"; the older one, an `efa` interface on every
 * card, fails to launch where card 0 has no EFA, as on p6-b300 with 17 cards of which 16 carry it.
 *
 * How many EFA interfaces a type may have is its own number and not that of its cards: i7ie.48xlarge has two cards that
 * carry EFA, and may have one.
 *
 * @throws {RangeError} when the type may have fewer EFA interfaces than asked for
 */
export function placeInterfaces(spec: InstanceType, efaInterfaces: number): readonly InterfacePlace[] {
  const cards = (spec.cards ?? []).flatMap(({ carriesEfa }, index) => (carriesEfa ? [index] : []));
  const most = Math.min(cards.length, spec.efaInterfaces);
  if (efaInterfaces > most) {
    throw new RangeError(
      `Cannot place ${efaInterfaces} EFA interfaces on ${spec.type}: it has ${cards.length} cards for them and may have ${spec.efaInterfaces}`,
    );
  }
  const used = cards.slice(0, efaInterfaces);
  const isShared = used.includes(0) && spec.cards?.[0]?.maxInterfaces === 1;
  return [
    { networkCardIndex: 0, deviceIndex: 0, interfaceType: isShared ? "efa" : "interface" },
    ...used
      .filter((card) => !(card === 0 && isShared))
      .map((card): InterfacePlace => ({
        networkCardIndex: card,
        deviceIndex: card === 0 ? 1 : 0,
        interfaceType: "efa-only",
      })),
  ];
}
