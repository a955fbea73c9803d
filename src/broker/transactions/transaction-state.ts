/**
 * The states of a transaction, as DescribeTransactions names them, and which may follow which. Any thread.
 *
 *   Empty ──► Ongoing ──► PrepareCommit ──► CompleteCommit
 *     │          └──────► PrepareAbort ───► CompleteAbort
 *     └────────────────────────▲             (both Complete states go on as Empty does)
 *
 * `Dead` is an id that is being forgotten, `PrepareEpochFence` a producer that is being locked out: neither is ever
 * written, both keep others away while the record that ends them is on its way. KIP-98, KIP-588; that a transaction
 * without partitions may be aborted is KIP-890.
 */

export const transactionStates = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
] as const;

export type TransactionState = (typeof transactionStates)[number];

const followers: Readonly<Record<TransactionState, readonly TransactionState[]>> = {
  Empty: ['Empty', 'Ongoing', 'PrepareAbort', 'Dead'],
  Ongoing: ['Ongoing', 'PrepareCommit', 'PrepareAbort'],
  PrepareCommit: ['CompleteCommit'],
  PrepareAbort: ['CompleteAbort'],
  CompleteCommit: ['Empty', 'Ongoing', 'PrepareAbort', 'Dead'],
  CompleteAbort: ['Empty', 'Ongoing', 'PrepareAbort', 'Dead'],
  Dead: [],
  PrepareEpochFence: ['PrepareAbort'],
};

export function mayFollow(next: TransactionState, current: TransactionState): boolean {
  return followers[current].includes(next);
}

/** Whether the outcome is decided and only its markers are missing. */
export function isPrepared(state: TransactionState): state is 'PrepareCommit' | 'PrepareAbort' {
  return state === 'PrepareCommit' || state === 'PrepareAbort';
}

/** Whether nothing is under way, so that an id that nobody uses may be forgotten. */
export function isIdle(state: TransactionState): state is 'Empty' | 'CompleteCommit' | 'CompleteAbort' {
  return state === 'Empty' || state === 'CompleteCommit' || state === 'CompleteAbort';
}

export function isTransactionState(name: string): name is TransactionState {
  return (transactionStates as readonly string[]).includes(name);
}
