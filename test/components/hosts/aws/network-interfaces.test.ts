import { describe, expect, test } from "vitest";
import { placeInterfaces } from "../../../../components/hosts/aws/network-interfaces.ts";
import { type InstanceType, loadCatalogue } from "../../../../cost/catalogue/catalogue.ts";

const types = new Map(loadCatalogue("us-east-1").instanceTypes.map((spec) => [spec.type, spec]));

function typeOf(name: string): InstanceType {
  const spec = types.get(name);
  if (spec === undefined) throw new Error(`The catalogue lacks ${name}`);
  return spec;
}

describe("placeInterfaces()", () => {
  test("puts IP traffic on card 0 and EFA beside it", () => {
    expect(placeInterfaces(typeOf("c6in.32xlarge"), 2)).toEqual([
      { networkCardIndex: 0, deviceIndex: 0, interfaceType: "interface" },
      { networkCardIndex: 0, deviceIndex: 1, interfaceType: "efa-only" },
      { networkCardIndex: 1, deviceIndex: 0, interfaceType: "efa-only" },
    ]);
  });

  test("puts IP and EFA on one interface where card 0 has room for one", () => {
    expect(placeInterfaces(typeOf("hpc6id.32xlarge"), 2)).toEqual([
      { networkCardIndex: 0, deviceIndex: 0, interfaceType: "efa" },
      { networkCardIndex: 1, deviceIndex: 0, interfaceType: "efa-only" },
    ]);
  });

  test("leaves card 0 without EFA where the type has none there", () => {
    const places = placeInterfaces(typeOf("p6-b300.48xlarge"), 16);
    expect(places.filter((place) => place.networkCardIndex === 0)).toEqual([
      { networkCardIndex: 0, deviceIndex: 0, interfaceType: "interface" },
    ]);
    expect(places).toHaveLength(17);
  });

  test("gives every type of the catalogue that has EFA as many interfaces as it has, each in a place of its own", () => {
    const withEfa = [...types.values()].filter((spec) => spec.efaInterfaces > 0);
    expect(Math.max(...withEfa.map((spec) => spec.cards?.length ?? 0))).toBe(32);
    expect(withEfa.length).toBeGreaterThan(100);
    for (const spec of withEfa) {
      const places = placeInterfaces(spec, spec.efaInterfaces);
      expect(places.filter((place) => place.interfaceType !== "interface")).toHaveLength(spec.efaInterfaces);
      const slots = places.map((place) => `${place.networkCardIndex}/${place.deviceIndex}`);
      expect(new Set(slots).size, spec.type).toBe(slots.length);
      for (const [card, { maxInterfaces }] of (spec.cards ?? []).entries()) {
        const onCard = places.filter((place) => place.networkCardIndex === card);
        expect(onCard.length, spec.type).toBeLessThanOrEqual(maxInterfaces);
      }
    }
  });

  test("never takes a card for an EFA interface more than the type may have", () => {
    const i7ie = typeOf("i7ie.48xlarge");
    expect(i7ie.cards?.filter((card) => card.carriesEfa)).toHaveLength(2);
    expect(placeInterfaces(i7ie, 1)).toHaveLength(2);
    expect(() => placeInterfaces(i7ie, 2)).toThrow(
      "Cannot place 2 EFA interfaces on i7ie.48xlarge: it has 2 cards for them and may have 1",
    );
  });

  test("fails for more EFA interfaces than cards", () => {
    expect(() => placeInterfaces(typeOf("c6in.32xlarge"), 3)).toThrow(
      "Cannot place 3 EFA interfaces on c6in.32xlarge: it has 2 cards for them and may have 2",
    );
  });
});
