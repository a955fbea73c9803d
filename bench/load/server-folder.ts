/**
 * Where servers that are measured have their directories. Main thread.
 *
 * ext4 gives no inode out again that was deleted within the last minute, and looks at them one by one: where the round
 * before left thousands of deleted files, making a new one takes milliseconds of processor time in the kernel, for
 * whichever server comes next. Below a folder with the attribute T each directory begins in another group of inodes.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';

const spread = new Set<string>();

/** Makes a new directory for one server below `parent`. */
export function newServerFolder(parent: string): string {
  const folder = join(parent, 'millrace-bench');
  mkdirSync(folder, { recursive: true });
  if (!spread.has(folder)) {
    // Other file systems know no such attribute and need none.
    spawnSync('chattr', ['+T', folder], { stdio: 'ignore' });
    spread.add(folder);
  }
  return mkdtempSync(join(folder, 'server-'));
}
