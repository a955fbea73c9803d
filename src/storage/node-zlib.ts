/**
 * node:zlib, loaded when it is first used: with what it needs it takes a millisecond or two of a start, and many brokers never
 * see a compressed batch. Any thread.
 */

import { createRequire } from 'node:module';

type Zlib = typeof import('node:zlib');

let loaded: Zlib | null = null;

/** The module; the first call of a thread loads it, at once. */
export function nodeZlib(): Zlib {
  loaded ??= createRequire(import.meta.url)('node:zlib') as Zlib;
  return loaded;
}
