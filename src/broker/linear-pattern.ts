/**
 * Regular expressions from clients, matched in time that grows with the text alone, by V8's second engine: it refuses
 * what it could not (look-around, references back, large counts). Any thread.
 * The engine is V8's own and behind a flag, which this file sets at its first use. The flag lets RegExp take the letter l,
 * and changes nothing about other expressions.
 */

import { setFlagsFromString } from 'node:v8';

let hasFlag = false;

/** The expression for whole texts, or null where it is none, or none that can be matched in linear time. */
export function linearPattern(text: string): RegExp | null {
  if (!hasFlag) setFlagsFromString('--enable-experimental-regexp-engine');
  hasFlag = true;
  try {
    // oxlint-disable-next-line no-invalid-regexp -- the flag is V8's own.
    return new RegExp(`^(?:${text})$`, 'l');
  } catch {
    return null;
  }
}
