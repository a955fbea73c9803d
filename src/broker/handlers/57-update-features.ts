/**
 * UpdateFeatures (KIP-584): changes the levels that are final, all that a request names or none. I/O thread.
 * The metadata's own version does not change: there is one, and what it keeps is Millrace's.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultUpdateFeaturesResponse,
  type UpdateFeaturesRequest,
  type UpdateFeaturesRequestFeatureUpdates,
  type UpdateFeaturesResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { features, type FeatureLevels } from '../feature-levels.ts';
import type { ApiHandler } from '../request-context.ts';
import { shownName } from '../shown-name.ts';
import { messageOf, type ChangeResult } from '../topic-catalog.ts';

const UpgradeType = { UPGRADE: 1, SAFE_DOWNGRADE: 2, UNSAFE_DOWNGRADE: 3 } as const;
const firstVersionWithUpgradeTypes = 1;
const firstVersionWithoutResults = 2;
const metadataVersion = 'metadata.version';

interface Update {
  readonly name: string;
  readonly level: number;
  readonly upgradeType: number;
}

export const updateFeaturesHandler: ApiHandler<UpdateFeaturesRequest, UpdateFeaturesResponse> = {
  apiKey: 57,
  async handle({ featureUpdates, validateOnly }, context, broker) {
    const response = defaultUpdateFeaturesResponse();
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.ALTER)) {
      return { ...response, errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, errorMessage: null };
    }
    const updates = featureUpdates.map((update) => updateOf(update, context.apiVersion));
    const result = await update(updates, validateOnly, broker);
    const { errorCode } = result;
    if (errorCode !== ErrorCode.NONE) {
      const reason = `The update failed for all features since the following feature had an error: ${messageOf(result)}`;
      return { ...response, errorCode, errorMessage: reason };
    }
    const told = context.apiVersion < firstVersionWithoutResults ? featureUpdates : [];
    const results = told.map(({ feature }) => ({ feature, errorCode, errorMessage: 'NONE' }));
    return { ...response, errorMessage: null, results };
  },
};

function updateOf(
  { feature, maxVersionLevel, upgradeType, allowDowngrade }: UpdateFeaturesRequestFeatureUpdates,
  apiVersion: number,
): Update {
  const older = allowDowngrade ? UpgradeType.SAFE_DOWNGRADE : UpgradeType.UPGRADE;
  return {
    name: feature,
    level: maxVersionLevel,
    upgradeType: apiVersion < firstVersionWithUpgradeTypes ? older : upgradeType,
  };
}

function update(updates: readonly Update[], validateOnly: boolean, broker: Broker): Promise<ChangeResult> {
  return broker.changeMetadata((image) => {
    for (const one of updates) {
      const problem = problemOf(one, image.features, broker.nodeId);
      if (problem !== null) return { errorCode: ErrorCode.INVALID_UPDATE_VERSION, message: problem };
    }
    if (validateOnly) return [];
    const changed = updates.filter(({ name, level }) => image.features.level(name) !== level);
    return changed.map(({ name, level }) => image.features.record(name, level));
  });
}

/** What forbids the update, in Kafka's order of looking, or null. */
function problemOf({ name, level, upgradeType }: Update, levels: FeatureLevels, nodeId: number): string | null {
  const refuse = (reason: string): string =>
    `Invalid update version ${level} for feature ${shownName(name)}. ${reason}`;
  if (upgradeType < UpgradeType.UPGRADE || upgradeType > UpgradeType.UNSAFE_DOWNGRADE) {
    return refuse('The controller does not support the given upgrade type.');
  }
  if (level < 0) return refuse('A feature version cannot be less than 0.');
  const feature = features.find((one) => one.name === name);
  if (feature === undefined) return refuse(`Local controller ${nodeId} does not support this feature.`);
  const { min, max } = feature;
  if (level < min || level > max) return refuse(`Local controller ${nodeId} only supports versions ${min}-${max}`);
  const current = levels.level(name);
  const isUpgrade = upgradeType === UpgradeType.UPGRADE;
  if (level < current && isUpgrade) {
    return refuse(
      "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
    );
  }
  if (level > current && !isUpgrade) return refuse("Can't downgrade to a newer version.");
  if (name !== metadataVersion || level === current) return null;
  const reason =
    upgradeType === UpgradeType.UNSAFE_DOWNGRADE
      ? 'Unsafe metadata downgrade is not supported in this version.'
      : 'Refusing to perform the requested downgrade because it might delete metadata information.';
  return `Unsupported metadata.version downgrade from ${current} to ${level}. ${reason}`;
}
