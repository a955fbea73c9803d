/**
 * AlterConfigs, the older request: what it names is set, and every setting that it does not name goes back to its
 * default. I/O thread. What resources take changes stands in config-alteration.ts.
 */

import {
  defaultAlterConfigsResponse,
  type AlterConfigsRequest,
  type AlterConfigsResponse,
} from '../../protocol/generated/index.ts';
import { alterEach } from '../config-alteration.ts';
import { ConfigOperation } from '../config-change.ts';
import type { ApiHandler } from '../request-context.ts';

export const alterConfigsHandler: ApiHandler<AlterConfigsRequest, AlterConfigsResponse> = {
  apiKey: 33,
  async handle({ resources, validateOnly }, context, broker) {
    const alterations = resources.map(({ resourceType, resourceName, configs }) => ({
      resourceType,
      resourceName,
      changes: configs.map(({ name, value }) => ({ name, operation: ConfigOperation.SET, value })),
    }));
    const responses = await alterEach(alterations, { replace: true, validateOnly }, context, broker);
    return { ...defaultAlterConfigsResponse(), responses };
  },
};
