// Says what is wrong with a text, and where.

import { failure } from './layout';

/** Notes a problem; `isCutShort` where the text is right as far as it goes. Returns 0, which is no position of a text. */
export function fail(at: usize, problem: i32, isCutShort: bool): usize {
  store<i32>(failure, problem);
  store<i32>(failure + 4, <i32>at);
  store<i32>(failure + 8, <i32>isCutShort);
  return 0;
}
