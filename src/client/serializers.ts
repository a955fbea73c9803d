/** How keys and values become bytes and back. Any thread; without state. Null is a null on the wire and never comes here. */

const encoder = new TextEncoder();
// Loud: bytes that are no UTF-8 are somebody else's data, not text with holes.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface Serializer<T> {
  serialize(value: T): Uint8Array;
  /** `bytes` lie in a larger buffer that they would keep alive: copy what is kept as it is. */
  deserialize(bytes: Uint8Array): T;
}

/** UTF-8. */
export const text: Serializer<string> = {
  serialize: (value) => encoder.encode(value),
  deserialize: (value) => decoder.decode(value),
};

/** The bytes themselves; those read are a copy of their own. */
export const bytes: Serializer<Uint8Array> = {
  serialize: (value) => value,
  deserialize: (value) => value.slice(),
};

/** JSON in UTF-8. The type is what the application says; nothing is checked. */
export function json<T>(): Serializer<T> {
  return {
    serialize: (value) => encoder.encode(JSON.stringify(value)),
    deserialize: (value) => JSON.parse(decoder.decode(value)) as T,
  };
}
