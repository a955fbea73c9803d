/** Choices by a seeded random source. */

import { present } from '../../src/base/assert.ts';
import type { SeededRandom } from '../../src/base/random.ts';

/** One of `values`, each as likely; there is at least one. */
export function oneOf<T>(random: SeededRandom, values: readonly T[]): T {
  return present(values[random.below(values.length)] as NonNullable<T>, 'there is something to choose from');
}
