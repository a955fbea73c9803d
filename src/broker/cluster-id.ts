/** Whether a request was meant for this cluster. Any thread. */

import { ErrorCode } from '../base/error-code.ts';
import type { Broker } from './broker.ts';
import { shownName } from './shown-name.ts';
import type { ChangeResult } from './topic-catalog.ts';

/** What is wrong with the cluster id in a request; null where it is right or left out. */
export function problemOfClusterId(clusterId: string | null, broker: Pick<Broker, 'clusterId'>): ChangeResult | null {
  if (clusterId === null || clusterId === broker.clusterId) return null;
  const message = `The given id "${shownName(clusterId)}" doesn't match the cluster id "${broker.clusterId}"`;
  return { errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID, message };
}
