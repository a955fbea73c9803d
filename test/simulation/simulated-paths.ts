/** What paths of the simulated file system lead to, and the errors where they lead nowhere. Any thread. */

import { type FileSystemCall, systemError } from './injected-failures.ts';
import { SimulatedDirectory, type SimulatedNode } from './simulated-directory.ts';
import { SimulatedFile } from './simulated-file.ts';

/** The names on the way from the root, in order. */
export function namesOf(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}

export function findNode(root: SimulatedDirectory, path: string): SimulatedNode | null {
  let node: SimulatedNode = root;
  for (const name of namesOf(path)) {
    const next: SimulatedNode | undefined = node instanceof SimulatedDirectory ? node.entries.get(name) : undefined;
    if (next === undefined) return null;
    node = next;
  }
  return node;
}

/** Throws ENOENT or ENOTDIR, as of `call`. */
export function directoryAt(root: SimulatedDirectory, call: FileSystemCall, path: string): SimulatedDirectory {
  const node = findNode(root, path);
  if (node === null) throw systemError('ENOENT', call, path);
  if (node instanceof SimulatedFile) throw systemError('ENOTDIR', call, path);
  return node;
}

/** The directory that has or would have what `path` names, and its name there. Throws as `directoryAt`, and EISDIR of the root. */
export function parentOf(
  root: SimulatedDirectory,
  call: FileSystemCall,
  path: string,
): { readonly directory: SimulatedDirectory; readonly name: string } {
  const names = namesOf(path);
  const name = names.pop();
  if (name === undefined) throw systemError('EISDIR', call, path);
  return { directory: directoryAt(root, call, names.join('/')), name };
}

/** Throws where a rename of `node` may not put it in the place of `replaced`, or into itself. */
export function checkReplaced(
  node: SimulatedNode,
  from: string,
  replaced: SimulatedNode | undefined,
  to: string,
): void {
  if (!(node instanceof SimulatedDirectory)) {
    if (replaced instanceof SimulatedDirectory) throw systemError('EISDIR', 'rename', to);
    return;
  }
  const isWithin = `${namesOf(to).join('/')}/`.startsWith(`${namesOf(from).join('/')}/`);
  if (isWithin) throw systemError('EINVAL', 'rename', to);
  if (replaced instanceof SimulatedFile) throw systemError('ENOTDIR', 'rename', to);
  if (replaced !== undefined && replaced.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', to);
}
